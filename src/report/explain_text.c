// SPDX-License-Identifier: MIT
/* seamlab explain as text. Layer: report. */
#include <stdlib.h>
#include <string.h>

#include <seamlab/tdx_abi.h>

#include "module/release.h"
#include "module/sept.h"
#include "report/explain_report.h"

static const char *mode_word(enum lock_mode mode)
{
	return mode == LOCK_EX ? "exclusive" : "shared";
}

void status_title(FILE *f, const struct status_view *v)
{
	if (v->name)
		fputs(v->name, f);
	else if (v->range)
		fprintf(f, "%s", v->range);
	else
		fputs("no status has this number", f);
	if (v->detail_text[0])
		fprintf(f, ", %s", v->detail_text);
}

void takers_print(FILE *f, const struct lock_taker *taker, u32 count, enum lock_mode mode)
{
	const char *between = "";
	char title[64];

	for (u32 i = 0; i < count; i++)
		if (taker[i].step->mode == mode) {
			fprintf(f, "%s%s", between, leaf_title(&taker[i].leaf, title));
			between = ", ";
		}
}

static bool has_mode(const struct lock_taker *taker, u32 count, enum lock_mode mode)
{
	for (u32 i = 0; i < count; i++)
		if (taker[i].step->mode == mode)
			return true;
	return false;
}

static void print_takers(FILE *out, const char *label, const char *extra,
			 const struct lock_taker *taker, u32 count)
{
	for (u32 m = 0; m < 2; m++) {
		enum lock_mode mode = m ? LOCK_SH : LOCK_EX;
		char *text = NULL;
		size_t size;
		FILE *f;

		if (!has_mode(taker, count, mode))
			continue;
		f = open_memstream(&text, &size);
		if (!f)
			return;
		fprintf(f, "%s%s: ", mode_word(mode), extra);
		takers_print(f, taker, count, mode);
		if (text_finish(f, &text))
			text_field(out, 4, label, text);
		free(text);
		label = "";
	}
}

static bool guest_is_refused(const struct busy_lock *l, bool guest)
{
	for (u32 i = 0; i < l->refused_count; i++)
		if (l->refused[i].leaf.guest == guest)
			return true;
	return false;
}

static void print_lock(FILE *f, const struct explain_context *c, const struct busy_lock *l)
{
	const struct lock_object_info *o = lock_object_info(l->object);

	text_fieldf(f, 2, "lock", "%s: %s, %s; between %s", o->name, o->text,
		    lock_kind_name(lock_kind(c->release, l->step)),
		    lock_scope_text((enum lock_scope)o->scope));
	print_takers(f, "refused", "", l->refused, l->refused_count);
	print_takers(f, "held by", "", l->holder, l->holder_count);
	for (u32 guest = 0; guest < 2; guest++)
		if (guest_is_refused(l, guest) && lock_advice(l->object, guest))
			text_field(f, 4, guest ? "guest" : "host", lock_advice(l->object, guest));
}

static void print_flags(FILE *f, u64 value)
{
	text_fieldf(f, 2, "flags", "%s, %s%s%s", value >> 63 & 1 ? "error" : "no error",
		    value >> 62 & 1 ? "non-recoverable" : "recoverable",
		    value >> 61 & 1 ? ", fatal" : "",
		    value >> 60 & 1 ? ", host-recoverability hint" : "");
}

static void print_status(FILE *f, const struct explain_context *c, u64 value)
{
	struct busy_lock *lock = malloc(sizeof(*lock));
	struct status_view v;
	struct hex64 h;

	status_look_up(c->release, value, &v);
	fprintf(f, "%s  ", hex64(&h, value));
	status_title(f, &v);
	fputc('\n', f);
	if (v.class_name)
		text_fieldf(f, 2, "class", "0x%02x %s", v.class, v.class_name);
	else
		text_fieldf(f, 2, "class", "0x%02x", v.class);
	print_flags(f, value);
	if (v.name && v.since)
		text_fieldf(f, 2, "release", "since 1.5.%02u%s%s", v.since,
			    v.in_release ? "" : "; not in ",
			    v.in_release ? "" : sl_release_name(c->release));
	if (v.meaning)
		text_field(f, 2, "meaning", v.meaning);
	if (v.advice)
		text_field(f, 2, "do", v.advice);
	if (!v.name && !v.range)
		text_fieldf(
			f, 2, "meaning",
			"No release here has a status 0x%08x........: another number, or one of a "
			"later module. The flags are where they always are.",
			(u32)(value >> 32));
	if (lock && v.name && (value >> 32) == (TDX_OPERAND_BUSY >> 32) &&
	    !status_lock(c->release, value, c->only, 0, lock))
		text_fieldf(f, 2, "lock", "%s takes a lock with this operand",
			    c->only ? "the leaf never" : "no leaf that is described");
	for (u32 i = 0; lock && status_lock(c->release, value, c->only, i, lock); i++)
		print_lock(f, c, lock);
	free(lock);
}

static void print_plan(FILE *f, enum sl_release r, const struct leaf_ref *leaf)
{
	const struct lock_step *plan = leaf_plan(r, leaf);
	const char *label = "locks";
	struct hex64 h;

	if (!plan) {
		text_field(f, 2, label,
			   lock_free(leaf->guest, leaf->number) ? "none" : "not described");
		return;
	}
	for (const struct lock_step *s = plan; s->object != LOCK_END; s++) {
		const char *note = leaf_lock_note(leaf, (enum lock_object)s->object);

		fprintf(f, "  %-14s%u %-10s %-9s %-9s  else %s%s%s%s\n", label, (u32)(s - plan) + 1,
			lock_object_info((enum lock_object)s->object)->name,
			lock_kind_name(lock_kind(r, s)), mode_word((enum lock_mode)s->mode),
			hex64(&h, s->busy), note ? " (" : "", note ? note : "", note ? ")" : "");
		label = "";
	}
}

static void print_masks(FILE *f, enum sl_release r, const struct leaf_ref *leaf)
{
	char text[400];
	size_t used = 0;
	u32 mask;

	if (leaf_sept_states(leaf, &mask)) {
		for (u32 i = 0; i < SEPT_STATES; i++)
			if (mask >> i & 1)
				used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s",
							 used ? ", " : "",
							 sept_state_name((enum sept_state)i));
		text_field(f, 2, "S-EPT states", text);
	}
	used = 0;
	if (leaf_op_states(r, leaf, &mask)) {
		for (u32 i = 0; i < OP_STATE_NUMBERS; i++)
			if ((mask >> i & 1) && release_op_state_name(r, i))
				used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s",
							 used ? ", " : "",
							 release_op_state_name(r, i));
		text_field(f, 2, "OP_STATEs", text);
	}
}

static void print_leaf(FILE *f, const struct explain_context *c, const struct leaf_ref *leaf)
{
	char title[64];

	fprintf(f, "%s  %s %u (0x%x): %s\n", leaf_title(leaf, title),
		leaf->guest ? "TDCALL" : "SEAMCALL", leaf->number, leaf->number, leaf_about(leaf));
	text_fieldf(f, 2, "release", "%s%s", sl_release_name(c->release),
		    leaf->modelled ? "" : "; described, not modelled");
	print_plan(f, c->release, leaf);
	print_masks(f, c->release, leaf);
}

static void print_oracle(FILE *f, const struct oracle_info *o)
{
	const char *text, *label = "looked at";

	fprintf(f, "%s  invariant, a finding of kind oracle where it is broken\n", o->name);
	text_field(f, 2, "promise", o->promise);
	for (u32 bit = 0; (text = oracle_when_text(bit)); bit++) {
		if (!(o->when >> bit & 1))
			continue;
		text_field(f, 2, label, text);
		label = "";
	}
	if (o->condition[0])
		text_field(f, 2, "only", o->condition);
}

void explain_text(FILE *f, const struct explain_context *c, const struct explain_subject *s)
{
	const char *blank = "";

	if (s->oracle) {
		print_oracle(f, s->oracle);
		return;
	}
	if (s->is_status) {
		print_status(f, c, s->value);
		blank = "\n";
	}
	for (u32 i = 0; i < s->leaf_count; i++) {
		struct leaf_ref v1;

		fputs(blank, f);
		print_leaf(f, c, &s->leaf[i]);
		blank = "\n";
		if (!s->leaf[i].version && leaf_version_1(c->release, &s->leaf[i], &v1)) {
			fputs(blank, f);
			print_leaf(f, c, &v1);
		}
	}
}
