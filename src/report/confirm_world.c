// SPDX-License-Identifier: MIT
/*
 * Scenarios in which two leaves can meet, made from confirm.def: on the same S-EPT entry, with the same
 * page of physical memory, inside the same 2 MB, on the same vCPU. Layer: report.
 */
#include <seamlab/tdx_abi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/confirm.h"

struct act {
	bool guest;
	u32 number, version;
	const char *op, *at, *page, *large, *setup;
};

static const struct act acts[] = {
#define SL_ACT(leaf, version_, op_, at_, page_, large_, setup_) \
	{ .number = SEAMCALL_##leaf,                            \
	  .version = (version_),                                \
	  .op = (op_),                                          \
	  .at = (at_),                                          \
	  .page = (page_),                                      \
	  .large = (large_),                                    \
	  .setup = (setup_) },
#define SL_GUEST_ACT(leaf, op_, at_) \
	{ .guest = true,             \
	  .number = TDCALL_##leaf,   \
	  .op = (op_),               \
	  .at = (at_),               \
	  .page = "",                \
	  .large = "",               \
	  .setup = "" },
#include "report/confirm.def"
#undef SL_ACT
#undef SL_GUEST_ACT
};

static const struct page_state {
	const char *of, *name, *page, *setup;
} page_states[] = {
#define SL_PAGE_STATE(of_, name_, page_, setup_) { (of_), (name_), (page_), (setup_) },
#include "report/confirm.def"
#undef SL_PAGE_STATE
};

#define PAGE_STATES ARRAY_SIZE(page_states)

/* Of each TD: what belongs to both sides takes one that they do not use otherwise. */
#define SPARE_NEW "spare6"

/* One of the two lanes. */
struct player {
	const struct act *act;
	u32 td, vcpu;
	char page[32], owner[32]; /* operands; empty for what belongs there */
};

struct mix {
	const struct confirm_pair *pair;
	struct player player[2];
	const struct page_state *state;
	u32 tds;
	bool running; /* TDs are finalized */
};

/* Who wants the worlds, and the pair that they are of. */
struct maker {
	const struct confirm_pair *pair;
	bool (*each)(void *ctx, const char *text);
	void *ctx;
};

static bool is_of(const struct act *a, const struct leaf_ref *leaf)
{
	return a->guest == leaf->guest && a->number == leaf->number && a->version == leaf->version;
}

bool confirm_knows(const struct leaf_ref *leaf)
{
	for (u32 i = 0; i < ARRAY_SIZE(acts); i++)
		if (is_of(&acts[i], leaf))
			return true;
	return false;
}

static bool is_first(const struct act *a)
{
	return a == acts || a[-1].guest != a->guest || a[-1].number != a->number ||
	       a[-1].version != a->version;
}

/* Without a page that has to be shared: the first, and what takes a setup to get far. */
static bool is_plain(const struct act *a)
{
	return is_first(a) || *a->setup;
}

static bool enters(const struct act *a)
{
	return !a->guest && a->number == SEAMCALL_tdh_vp_enter;
}

static bool is_on_vcpu(const struct act *a)
{
	return a->guest || strstr(a->op, "%V");
}

/* ---- text ----------------------------------------------------------------------------------- */

/* @op with what stands for %P and so on. */
static void put(FILE *f, const struct mix *m, const struct player *p, const char *op)
{
	const char *td = p->td && !p->act->guest ? "td1:" : "";

	for (; *op; op++) {
		if (*op != '%') {
			fputc(*op, f);
			continue;
		}
		switch (*++op) {
		case 'P':
		case 'L':
			fprintf(f, "%s%s", td, m->state->page);
			break;
		case 'T':
			fputs(td, f);
			break;
		case 'D':
			fprintf(f, "td%u", p->td);
			break;
		case 'V':
			fprintf(f, "td%u.vcpu%u", p->td, p->vcpu);
			break;
		default: /* a number */
			fprintf(f, "%u", p->td + (u32)(*op - '0'));
			break;
		}
	}
}

static void put_td(FILE *f, const struct mix *m)
{
	fprintf(f,
		"  - vcpus: 3\n    debug: true\n    finalized: %s\n    memory: {m: {state: mapped}, "
		"k: {level: 2M, state: pending}, e: {size: 2M}, t: {size: 2M}, w: {size: 2M}}\n",
		m->running ? "true" : "false");
}

/* Before anything else vCPU 2 accepts k. */
static bool accepts_k(const struct mix *m)
{
	return strstr(m->state->setup, "vcpu2");
}

static void put_setup(FILE *f, const struct mix *m)
{
	const struct player *p = m->player;

	fputs("  setup: [MEM.SEPT.ADD e spare1", f);
	if (m->tds > 1)
		fputs(", MEM.SEPT.ADD td1:e spare2", f);
	for (u32 i = 0; i < 2; i++) {
		/* A fault makes a zero-step list, and so the next entry take the tree. */
		if (m->running && enters(p[i].act))
			put(f, m, &p[i], ", VP.ENTER %V, VP.ENTER %V, VP.FLUSH %V");
		if (*p[i].act->setup && (!i || p[0].act != p[1].act || p[0].td != p[1].td)) {
			fputs(", ", f);
			put(f, m, &p[i], p[i].act->setup);
		}
	}
	if (*m->state->setup)
		fprintf(f, ", %s", m->state->setup);
	fputs("]\n", f);
}

static void put_lane(FILE *f, const struct mix *m, u32 i)
{
	const struct player *p = &m->player[i];

	fprintf(f, "  lp%u: [", i);
	put(f, m, p, p->act->guest ? "VP.ENTER %V" : p->act->op);
	if (*p->page)
		fprintf(f, " page=%s", p->page);
	if (*p->owner)
		fprintf(f, " owner=%s", p->owner);
	fputs("]\n", f);
}

static void put_program(FILE *f, const struct mix *m, u32 i)
{
	const struct player *p = &m->player[i];
	bool shared = i && is_on_vcpu(m->player[0].act) && p->vcpu == m->player[0].vcpu &&
		      p->td == m->player[0].td;

	if (!m->running || shared || !(p->act->guest || enters(p->act)))
		return;
	put(f, m, p, "  %V: [");
	put(f, m, p, p->act->guest ? p->act->op : "read t@0");
	fputs("]\n", f);
}

static void put_world(FILE *f, const struct mix *m)
{
	char name[2][64];

	fprintf(f, "title: %s beside %s", matrix_leaf_name(m->pair->leaf[0], name[0]),
		matrix_leaf_name(m->pair->leaf[1], name[1]));
	if (*m->player[0].act->at && *m->player[1].act->at)
		fprintf(f, ", %s %s", m->state->of, m->state->name);
	fputc('\n', f);
	fprintf(f,
		"module: {release: \"%s\", flavour: %s, zero-step-threshold: 1, hp-timeout: "
		"false, measurement: false}\nguest: {on-busy: fatal}\ntd:\n",
		sl_release_name(m->pair->release),
		m->pair->flavour == SL_HARDENED ? "hardened" : "published");
	for (u32 i = 0; i < m->tds; i++)
		put_td(f, m);
	fputs("run:\n", f);
	put_setup(f, m);
	for (u32 i = 0; i < 2; i++)
		put_lane(f, m, i);
	for (u32 i = 0; i < 2; i++)
		put_program(f, m, i);
	if (accepts_k(m))
		fputs("  vcpu2: [accept k]\n", f);
}

static bool make(const struct maker *k, const struct mix *m)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	bool go_on;

	if (!f)
		return false;
	put_world(f, m);
	go_on = text_finish(f, &text) && k->each(k->ctx, text);
	free(text);
	return go_on;
}

/* ---- which worlds --------------------------------------------------------------------------- */

static bool meets(const struct maker *k, enum lock_object object)
{
	return k->pair->objects >> object & 1;
}

static struct mix mix_of(const struct maker *k, const struct act *x, const struct act *y)
{
	return (struct mix){ .pair = k->pair,
			     .player = { { .act = x }, { .act = y, .vcpu = 1 } },
			     .state = page_states,
			     .tds = 1,
			     .running = true };
}

/* Without guests also in a TD that is not finalized. */
static bool make_both(const struct maker *k, struct mix *m, bool unfinished)
{
	m->running = true;
	if (!make(k, m))
		return false;
	if (!unfinished || m->player[0].act->guest || m->player[1].act->guest)
		return true;
	m->running = false;
	return make(k, m);
}

static bool is_above(const char *upper, const char *lower)
{
	return (!strcmp(upper, "table") && !strcmp(lower, "page")) ||
	       (!strcmp(upper, "top") && !strcmp(lower, "table"));
}

/* From every state of the page that the two have to do with; further above, from one. */
static bool on_page(const struct maker *k, struct mix *m, const char *at)
{
	bool large = !strcmp(at, "large");
	bool top = !strcmp(m->player[0].act->at, "top") || !strcmp(m->player[1].act->at, "top");

	for (u32 i = 0; i < (top ? 1 : PAGE_STATES); i++) {
		m->state = &page_states[i];
		if (!strcmp(m->state->of, "large") != large)
			continue;
		/* Guests and tracking are for TDs that run. */
		if (!make_both(k, m,
			       !strstr(m->state->setup, "TRACK") &&
				       !strstr(m->state->setup, "ENTER")))
			return false;
	}
	return true;
}

/* In one TD: on the same entry, or next to each other. */
static bool in_one_td(const struct maker *k, const struct act *x, const struct act *y)
{
	struct mix m = mix_of(k, x, y);

	if ((*x->at && !strcmp(x->at, y->at)) || is_above(x->at, y->at) || is_above(y->at, x->at))
		return on_page(k, &m, x->at);
	if (!is_plain(x) || !is_plain(y))
		return true;
	/* What takes a setup is for TDs that are being built. */
	if (!*x->setup && !*y->setup)
		return make_both(k, &m, true);
	m.running = false;
	return x->guest || y->guest || make(k, &m);
}

static bool on_one_vcpu(const struct maker *k, const struct act *x, const struct act *y)
{
	struct mix m = mix_of(k, x, y);

	if ((!meets(k, LOCK_TDVPR) && !meets(k, LOCK_ASSOC)) || !is_on_vcpu(x) || !is_on_vcpu(y) ||
	    !is_first(x) || !is_first(y))
		return true;
	m.player[1].vcpu = 0;
	return make_both(k, &m, true);
}

/* "td1:m", "spare2": page @ref of the other side, which is on TD @td. */
static void ref_to(char out[32], const char *ref, u32 td)
{
	if (!strncmp(ref, "spare", strlen("spare")))
		snprintf(out, 32, "spare%u", td + 1);
	else
		snprintf(out, 32, "td%u:%s", td, ref);
}

static struct mix two_tds(const struct maker *k, const struct act *x, const struct act *y)
{
	struct mix m = mix_of(k, x, y);

	m.tds = 2;
	m.player[1].td = 1;
	m.running = false;
	return m;
}

/* With the same page of physical memory, each in its own TD, so that nothing else is in the way. */
static bool with_one_page(const struct maker *k, const struct act *x, const struct act *y)
{
	struct mix m = two_tds(k, x, y);
	bool new_x = !strcmp(x->page, "new"), new_y = !strcmp(y->page, "new");

	if (!*x->page || !*y->page || (!new_x && !new_y))
		return true;
	if (new_x && new_y) {
		const char *page = *x->large || *y->large ? "td0:w" : SPARE_NEW;

		snprintf(m.player[0].page, sizeof(m.player[0].page), "%s", page);
		snprintf(m.player[1].page, sizeof(m.player[1].page), "%s", page);
	} else {
		ref_to(m.player[!new_x].page, new_x ? y->page : x->page, new_x);
	}
	return make(k, &m);
}

static bool has_owner(const struct act *a)
{
	return !a->guest;
}

/* @i works on all of 2 MB, the other one names a page inside: as the page that it takes, as TDR. */
static bool inside(const struct maker *k, const struct act *x, const struct act *y, u32 i)
{
	const struct act *large = i ? y : x, *small = i ? x : y;
	struct mix m = two_tds(k, x, y);

	if (!*large->large)
		return true;
	if (has_owner(small) && is_first(small)) {
		ref_to(m.player[!i].owner, large->large, i);
		if (!make(k, &m))
			return false;
		m.player[!i].owner[0] = 0;
	}
	if (strcmp(small->page, "new") != 0)
		return true;
	ref_to(m.player[!i].page, large->large, i);
	return make(k, &m);
}

static bool in_one_range(const struct maker *k, const struct act *x, const struct act *y)
{
	return !meets(k, LOCK_LARGE_PAGE) || (inside(k, x, y, 0) && inside(k, x, y, 1));
}

/* What there is one of, whatever the TD. */
static bool in_one_module(const struct maker *k, const struct act *x, const struct act *y)
{
	struct mix m = two_tds(k, x, y);

	return (!meets(k, LOCK_KOT) && !meets(k, LOCK_KET)) || make(k, &m);
}

bool confirm_worlds(const struct confirm_pair *p, bool (*each)(void *ctx, const char *text),
		    void *ctx)
{
	const struct maker k = { .pair = p, .each = each, .ctx = ctx };

	for (u32 i = 0; i < ARRAY_SIZE(acts); i++) {
		if (!is_of(&acts[i], p->leaf[0]))
			continue;
		for (u32 j = 0; j < ARRAY_SIZE(acts); j++)
			if (is_of(&acts[j], p->leaf[1]) &&
			    !(in_one_td(&k, &acts[i], &acts[j]) &&
			      on_one_vcpu(&k, &acts[i], &acts[j]) &&
			      with_one_page(&k, &acts[i], &acts[j]) &&
			      in_one_range(&k, &acts[i], &acts[j]) &&
			      in_one_module(&k, &acts[i], &acts[j])))
				return false;
	}
	return true;
}
