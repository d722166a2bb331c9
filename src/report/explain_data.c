// SPDX-License-Identifier: MIT
/* Looking up statuses, leaves and the locks behind a busy status. Layer: report. */
#include "report/explain.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <seamlab/tdx_abi.h>

#include "module/release.h"
#include "module/sept.h"
#include "scenario/reader.h"

/* ---- statuses -------------------------------------------------------------------------------- */

/* The status constants are objects, which C does not take as case labels or initialisers. */
enum {
#define SL_STATUS(name, upper) UPPER_##name = (int)(upper),
#include <seamlab/tdx_status.def>
#undef SL_STATUS
#define SL_NEW_STATUS(since, name, upper, who) UPPER_##name = (int)(upper),
#include <seamlab/tdx_release.def>
#undef SL_NEW_STATUS
};

static const struct {
	u32 upper;
	u8 detail;
	const char *meaning, *advice;
} abouts[] = {
#define SL_ABOUT(name, detail_, meaning_, advice_) \
	{ (u32)UPPER_##name, DETAIL_##detail_, (meaning_), (advice_) },
#include "report/explain_status.def"
#undef SL_ABOUT
};

static const char *class_text(u32 class)
{
	switch (class) {
#define SL_CLASS(number, text) \
	case number:           \
		return (text);
#include "report/explain_status.def"
#undef SL_CLASS
	default:
		return NULL;
	}
}

static const char *range_text(u32 upper)
{
	/* Single numbers come before the range around them. */
#define SL_STATUS(name, number)
#define SL_STATUS_RANGE(first, last, about)      \
	if (upper >= (first) && upper <= (last)) \
		return (about);
#include <seamlab/tdx_status.def>
#undef SL_STATUS
	return NULL;
}

static u32 status_since(u32 upper)
{
	switch (upper) {
#define SL_NEW_STATUS(since, name, number, who) \
	case number:                            \
		return (since);
#include <seamlab/tdx_release.def>
#undef SL_NEW_STATUS
	default:
		return 0;
	}
}

bool status_is_known(u64 value)
{
	return value != TDX_UNINITIALIZE_ERROR &&
	       (tdx_status_name(value) || range_text((u32)(value >> 32)));
}

const char *exit_reason_name(u32 reason)
{
	switch (reason & 0xFFFF) {
	case EXIT_REASON_EXTERNAL_INTERRUPT:
		return "external interrupt";
	case EXIT_REASON_TRIPLE_FAULT:
		return "triple fault";
	case EXIT_REASON_EPT_VIOLATION:
		return "EPT violation";
	case EXIT_REASON_EPT_MISCONFIG:
		return "EPT misconfiguration";
	case EXIT_REASON_TDCALL:
		return "TDG.VP.VMCALL";
	default:
		return NULL;
	}
}

const char *detail_kind_name(enum detail_kind kind)
{
	static const char *const name[DETAIL_KINDS] = {
		"none",       "operand",   "level",           "msr", "exit-reason", "tdmr",
		"tdmr-level", "tdmr-area", "tdmr-level-tdmr", "l2",  "vcpu-state",  "op-state",
		"number",
	};

	return name[kind];
}

static const char *vcpu_state_name(u32 state)
{
	switch (state) {
	case 0:
		return "UNINITIALIZED";
	case 2:
		return "READY";
	case 4:
		return "ACTIVE";
	case 8:
		return "DISABLED";
	case 0x10:
		return "IMPORT";
	default:
		return NULL;
	}
}

SL_PRINTF(2, 3) static void say(struct status_view *v, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(v->detail_text, sizeof(v->detail_text), fmt, ap);
	va_end(ap);
}

static void say_state(struct status_view *v, bool carried, const char *what, const char *name)
{
	u32 low = (u32)v->value;

	if (carried && name)
		say(v, "%s %s (%u)", what, name, low);
	else if (low)
		say(v, "details 0x%x, which this release does not have", low);
}

static void look_up_detail(enum sl_release r, struct status_view *v)
{
	u32 low = (u32)v->value;
	u64 changes = release_changes(r);

	switch (v->detail) {
	case DETAIL_OPERAND:
		v->operand = tdx_operand_name(low);
		if (!v->operand)
			say(v, "operand %u (0x%x), which has no name", low, low);
		else
			say(v, "operand %s (%u)%s", v->operand, low, low ? "" : ", or none");
		return;
	case DETAIL_LEVEL:
		say(v, "level %u%s", low,
		    low == 0   ? " (4 KB)"
		    : low == 1 ? " (2 MB)"
		    : low == 2 ? " (1 GB)"
			       : "");
		return;
	case DETAIL_MSR:
		say(v, "MSR 0x%x", low);
		return;
	case DETAIL_EXIT:
		if (low)
			say(v, "exit reason %u%s%s%s%s", low & 0xFFFF,
			    exit_reason_name(low) ? " (" : "",
			    exit_reason_name(low) ? exit_reason_name(low) : "",
			    exit_reason_name(low) ? ")" : "", low >> 26 & 1 ? ", bus lock" : "");
		return;
	case DETAIL_TDMR:
		say(v, "TDMR %u", low & 0xFF);
		return;
	case DETAIL_TDMR_LEVEL:
		say(v, "TDMR %u, PAMT level %u", low & 0xFF, low >> 8 & 0xFF);
		return;
	case DETAIL_TDMR_AREA:
		say(v, "TDMR %u, reserved area %u", low & 0xFF, low >> 8 & 0xFF);
		return;
	case DETAIL_TDMR_PAIR:
		say(v, "TDMR %u, PAMT level %u, other TDMR %u", low & 0xFF, low >> 8 & 0xFF,
		    low >> 16 & 0xFF);
		return;
	case DETAIL_L2:
		say(v, "VM %u, level %u", low >> 16, low & 0xFFFF);
		return;
	case DETAIL_VCPU_STATE:
		say_state(v, changes >> CHANGE_STATUS_HAS_VCPU_STATE & 1, "vCPU state",
			  vcpu_state_name(low));
		return;
	case DETAIL_OP_STATE:
		say_state(v, changes >> CHANGE_STATUS_HAS_OP_STATE & 1, "OP_STATE",
			  release_op_state_name(r, low));
		return;
	case DETAIL_NUMBER:
		say(v, "number %u (0x%x)", low, low);
		return;
	case DETAIL_NONE:
	case DETAIL_KINDS:
		if (low)
			say(v, "details 0x%x, which this status does not have", low);
	}
}

void status_look_up(enum sl_release r, u64 value, struct status_view *v)
{
	u32 upper = (u32)(value >> 32);

	*v = (struct status_view){ .value = value, .in_release = true };
	v->class = (u8)(value >> 40);
	v->class_name = class_text(v->class);
	if (value == TDX_UNINITIALIZE_ERROR) {
		v->name = tdx_status_name(value);
		v->class_name = NULL;
		v->meaning =
			"The value that a leaf starts with and must not return: the module halts "
			"instead. Here it says that the module has halted.";
		v->advice = "Look for what made it halt; every later call returns the same.";
		return;
	}
	v->name = tdx_status_name(value);
	v->range = v->name ? NULL : range_text(upper);
	v->since = status_since(upper);
	v->in_release = (v->name || v->range) && release_has(r, v->since);
	for (u32 i = 0; v->name && i < ARRAY_SIZE(abouts); i++)
		if (abouts[i].upper == upper) {
			v->detail = (enum detail_kind)abouts[i].detail;
			v->meaning = abouts[i].meaning;
			v->advice = abouts[i].advice;
		}
	if (v->name)
		look_up_detail(r, v);
	else if ((u32)value)
		say(v, "details 0x%x", (u32)value);
}

static bool same_word(const char *a, size_t size, const char *b)
{
	return strlen(b) == size && !strncasecmp(a, b, size);
}

bool status_by_name(const char *name, size_t size, u64 *value)
{
	if (size > 4 && !strncasecmp(name, "TDX_", 4)) {
		name += 4;
		size -= 4;
	}
#define SL_STATUS(ident, upper)              \
	if (same_word(name, size, #ident)) { \
		*value = (u64)(upper) << 32; \
		return true;                 \
	}
#include <seamlab/tdx_status.def>
#define SL_NEW_STATUS(since, ident, upper, who) SL_STATUS(ident, upper)
#include <seamlab/tdx_release.def>
#undef SL_NEW_STATUS
#undef SL_STATUS
	if (same_word(name, size, "UNINITIALIZE_ERROR")) {
		*value = TDX_UNINITIALIZE_ERROR;
		return true;
	}
	return false;
}

bool operand_by_name(const char *name, size_t size, u32 *id)
{
#define SL_OPERAND(ident, number)            \
	if (same_word(name, size, #ident)) { \
		*id = (number);              \
		return true;                 \
	}
#include <seamlab/tdx_operand.def>
#define SL_NEW_OPERAND(since, ident, number) SL_OPERAND(ident, number)
#include <seamlab/tdx_release.def>
#undef SL_NEW_OPERAND
#undef SL_OPERAND
	return false;
}

/* ---- leaves ---------------------------------------------------------------------------------- */

const char *leaf_about(const struct leaf_ref *leaf)
{
#define SL_LEAF_ABOUT(ident_, text)        \
	if (!strcmp(leaf->ident, #ident_)) \
		return (text);
#include "report/explain_leaf.def"
#undef SL_LEAF_ABOUT
	return NULL;
}

const char *leaf_title(const struct leaf_ref *leaf, char text[64])
{
	if (!leaf->version)
		return leaf->name;
	snprintf(text, 64, "%s version %u", leaf->name, leaf->version);
	return text;
}

/* @name in any case, with '_' or '.', is @leaf from its @from-th character on. */
static bool is_name(const char *name, size_t size, const char *leaf, size_t from)
{
	if (strlen(leaf) - from != size)
		return false;
	for (size_t i = 0; i < size; i++) {
		char c = name[i] == '_' ? '.' : (char)toupper((u8)name[i]);

		if (c != leaf[from + i])
			return false;
	}
	return true;
}

u32 leaf_by_name(enum sl_release r, const char *name, size_t size, const struct leaf_ref *out[2])
{
	const size_t prefix = strlen("TDH.");
	const struct leaf_ref *leaf;
	u32 n = 0;

	leaf_each (r, leaf)
		if (n < 2 &&
		    (is_name(name, size, leaf->name, 0) || is_name(name, size, leaf->name, prefix)))
			out[n++] = leaf;
	return n;
}

void leaf_not_found(enum sl_release r, const char *name, char *err, size_t err_size)
{
	char upper[64];
	struct scn_near near = { .word = upper, .size = strnlen(name, sizeof(upper)) };
	struct scn_shown shown, hint;
	const struct leaf_ref *leaf;

	for (size_t i = 0; i < near.size; i++)
		upper[i] = name[i] == '_' ? '.' : (char)toupper((u8)name[i]);
	leaf_each (r, leaf) {
		scn_near_try(&near, leaf->name);
		scn_near_try(&near, leaf->name + strlen("TDH."));
	}
	snprintf(
		err, err_size,
		"found %s; expected a leaf of release %s, such as TDH.MEM.PAGE.AUG or mem.page.aug%s",
		scn_show_text(&shown, name, strlen(name)), sl_release_name(r),
		scn_near_text(&near, &hint));
}

#define S(name) (1u << SEPT_##name)
#define S_ALL   ((1u << SEPT_STATES) - 1)

bool leaf_sept_states(const struct leaf_ref *leaf, u32 *mask)
{
#define SL_SEPT_ALLOWED(ident_, mask_)       \
	if (!strcmp(leaf->ident, #ident_)) { \
		*mask = (mask_);             \
		return true;                 \
	}
#define SL_SEPT_ALLOWED_TDG(ident_, mask_) SL_SEPT_ALLOWED(ident_, mask_)
#include "module/sept_allowed.def"
#undef SL_SEPT_ALLOWED
	return false;
}

bool leaf_op_states(enum sl_release r, const struct leaf_ref *leaf, u32 *mask)
{
	return !leaf->guest && release_op_row(r, leaf->number, mask);
}

/* ---- locks behind a busy status -------------------------------------------------------------- */

static const char *const advice[LOCK_OBJECTS][2] = {
#define SL_LOCK_ADVICE(object, host, guest) [LOCK_##object] = { (host), (guest) },
#include "report/explain_lock.def"
#undef SL_LOCK_ADVICE
};

const char *lock_advice(enum lock_object object, bool guest)
{
	const char *text = advice[object][guest];

	return text && *text ? text : NULL;
}

static void add_taker(struct lock_taker *list, u32 *count, const struct leaf_ref *leaf,
		      const struct lock_step *step)
{
	for (u32 i = 0; i < *count; i++)
		if (list[i].leaf.ident == leaf->ident && list[i].leaf.version == leaf->version &&
		    list[i].step->mode == step->mode)
			return;
	if (*count < TAKERS_MAX)
		list[(*count)++] = (struct lock_taker){ *leaf, step };
}

/* Calls @fn for each leaf of the release, and for its version 1 where that has a plan of its own. */
static void each_leaf(enum sl_release r, void (*fn)(void *ctx, const struct leaf_ref *leaf),
		      void *ctx)
{
	const struct leaf_ref *leaf;
	struct leaf_ref v1;

	leaf_each (r, leaf) {
		fn(ctx, leaf);
		if (leaf_version_1(r, leaf, &v1))
			fn(ctx, &v1);
	}
}

struct look {
	enum sl_release r;
	u64 status;
	const struct leaf_ref *only;
	struct busy_lock *lock;
	const struct leaf_ref *refused;
	u32 seen; /* bit per object */
};

static void look_for_objects(void *ctx, const struct leaf_ref *leaf)
{
	struct look *l = ctx;

	if (l->only && l->only->ident != leaf->ident)
		return;
	for (const struct lock_step *s = leaf_plan(l->r, leaf); s && s->object != LOCK_END; s++)
		if (s->busy == l->status) {
			l->seen |= 1u << s->object;
			if (l->lock && s->object == l->lock->object) {
				l->lock->step = s;
				add_taker(l->lock->refused, &l->lock->refused_count, leaf, s);
			}
		}
}

static void look_for_holders(void *ctx, const struct leaf_ref *leaf)
{
	struct look *l = ctx;
	struct meeting m[MEETINGS_MAX];
	u32 n = leaf_meetings(l->r, l->refused, leaf, m);

	for (u32 i = 0; i < n; i++)
		if (m[i].a && m[i].b && m[i].a->busy == l->status &&
		    m[i].a->object == l->lock->object && m[i].object != LOCK_LARGE_PAGE)
			add_taker(l->lock->holder, &l->lock->holder_count, leaf, m[i].b);
		else if (m[i].a && m[i].b && m[i].a->busy == l->status &&
			 m[i].object == LOCK_LARGE_PAGE && l->lock->object == LOCK_LARGE_PAGE &&
			 m[i].a->object == LOCK_LARGE_PAGE)
			add_taker(l->lock->holder, &l->lock->holder_count, leaf, m[i].b);
}

bool status_lock(enum sl_release r, u64 status, const struct leaf_ref *only, u32 index,
		 struct busy_lock *out)
{
	struct look l = { .r = r, .status = status, .only = only };
	u32 object = 0;

	each_leaf(r, look_for_objects, &l);
	for (u32 i = 0; i < LOCK_OBJECTS; i++)
		if ((l.seen >> i & 1) && index-- == 0)
			object = i;
	if (!object)
		return false;
	*out = (struct busy_lock){ .object = (enum lock_object)object };
	l.lock = out;
	each_leaf(r, look_for_objects, &l);
	for (u32 i = 0; i < out->refused_count; i++) {
		l.refused = &out->refused[i].leaf;
		each_leaf(r, look_for_holders, &l);
	}
	return true;
}

/* ---- text ------------------------------------------------------------------------------------ */

#define LABEL_WIDTH 14u

void text_field(FILE *f, u32 indent, const char *label, const char *text)
{
	u32 column = indent + LABEL_WIDTH, margin = column;

	fprintf(f, "%*s%-*s", (int)indent, "", (int)LABEL_WIDTH, label);
	while (*text) {
		size_t word = strcspn(text, " ");

		if (column > margin && column + 1 + word > TEXT_WIDTH) {
			fprintf(f, "\n%*s", (int)margin, "");
			column = margin;
		}
		if (column > margin) {
			fputc(' ', f);
			column++;
		}
		fprintf(f, "%.*s", (int)word, text);
		column += (u32)word;
		text += word;
		text += strspn(text, " ");
	}
	fputc('\n', f);
}

void text_fieldf(FILE *f, u32 indent, const char *label, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	text_field(f, indent, label, text);
	free(text);
}

const char *hex64(struct hex64 *h, u64 value)
{
	snprintf(h->text, sizeof(h->text), "0x%016llx", (unsigned long long)value);
	return h->text;
}

char *text_finish(FILE *f, char **text)
{
	bool bad = ferror(f);

	if (fclose(f) || bad) {
		free(*text);
		*text = NULL;
	}
	return *text;
}

json_t *json_hex64(u64 value)
{
	struct hex64 h;

	return json_string(hex64(&h, value));
}

json_t *json_lock_step(enum sl_release r, const struct lock_step *s)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:o}", "object",
			 lock_object_info((enum lock_object)s->object)->name, "kind",
			 lock_kind_name(lock_kind(r, s)), "mode",
			 lock_mode_name((enum lock_mode)s->mode), "side",
			 s->guest ? "guest" : "host", "busy", json_hex64(s->busy));
}
