// SPDX-License-Identifier: MIT
/* Leaves of a release and where they meet. Layer: module. */
#include "module/contention.h"

#include <seamlab/tdx_abi.h>

#include "base/bug.h"
#include "module/release.h"

/* ---- names ------------------------------------------------------------------------------- */

static const struct lock_object_info objects[LOCK_OBJECTS] = {
#define SL_LOCK_OBJECT(name_, letter_, scope_, text_) \
	[LOCK_##name_] = {                            \
		.name = #name_,                       \
		.letter = (letter_),                  \
		.scope = SCOPE_##scope_,              \
		.text = (text_),                      \
	},
#include "module/lock_object.def"
#undef SL_LOCK_OBJECT
};

const struct lock_object_info *lock_object_info(enum lock_object object)
{
	return &objects[object];
}

const char *lock_scope_text(enum lock_scope scope)
{
	static const char *const text[] = {
#define SL_LOCK_SCOPE(name, text_) [SCOPE_##name] = (text_),
#include "module/lock_object.def"
#undef SL_LOCK_SCOPE
	};

	return text[scope];
}

const char *lock_kind_name(enum lock_kind kind)
{
	static const char *const name[] = {
		[LOCK_KIND_MUTEX] = "mutex",
		[LOCK_KIND_SHAREX] = "sharex",
		[LOCK_KIND_SHAREX_HP] = "sharex_hp",
		[LOCK_KIND_TDEL] = "tdel",
		[LOCK_KIND_CAS] = "cas",
	};

	return name[kind];
}

const char *lock_mode_name(enum lock_mode mode)
{
	return mode == LOCK_EX ? "EX" : "SH";
}

/* ---- leaves ------------------------------------------------------------------------------ */

#define SEAMCALLS 128
#define TDCALLS   32

/* By number; no name: no such leaf. */
static const struct numbered_leaf {
	struct leaf_ref leaf;
	u32 since;
} seamcalls[SEAMCALLS] = {
#define SL_TDCALL(ident_, number_, name_)
#define SL_SEAMCALL(ident_, number_, name_) \
	[number_] = { { .number = (number_), .name = (name_), .ident = #ident_ }, 0 },
#define SL_SEAMCALL_IMPL(ident_, number_, name_)                                                \
	[number_] = {                                                                           \
		{ .number = (number_), .name = (name_), .ident = #ident_, .modelled = true }, 0 \
	},
#include <seamlab/tdx_leaf.def>
#undef SL_SEAMCALL
#undef SL_TDCALL
#define SL_NEW_SEAMCALL(since_, ident_, number_, name_)                                       \
	[number_] = {                                                                         \
		{ .number = (number_), .name = (name_), .ident = #ident_, .modelled = true }, \
		(since_)                                                                      \
	},
#include <seamlab/tdx_release.def>
#undef SL_NEW_SEAMCALL
};

static const struct numbered_leaf tdcalls[TDCALLS] = {
#define SL_SEAMCALL(ident_, number_, name_)
#define SL_TDCALL(ident_, number_, name_)                                                        \
	[number_] = { { .guest = true, .number = (number_), .name = (name_), .ident = #ident_ }, \
		      0 },
#define SL_TDCALL_IMPL(ident_, number_, name_) \
	[number_] = { { .guest = true,         \
			.number = (number_),   \
			.name = (name_),       \
			.ident = #ident_,      \
			.modelled = true },    \
		      0 },
#include <seamlab/tdx_leaf.def>
#undef SL_SEAMCALL
#undef SL_TDCALL
};

const struct leaf_ref *leaf_by_number(enum sl_release r, bool guest, u32 number)
{
	const struct numbered_leaf *l;

	if (number >= (guest ? TDCALLS : SEAMCALLS))
		return NULL;
	l = guest ? &tdcalls[number] : &seamcalls[number];
	return l->leaf.name && release_has(r, l->since) ? &l->leaf : NULL;
}

const struct leaf_ref *leaf_next(enum sl_release r, const struct leaf_ref *last)
{
	u32 at = !last ? 0 : last->guest ? SEAMCALLS + last->number + 1 : last->number + 1;

	for (; at < SEAMCALLS + TDCALLS; at++) {
		bool guest = at >= SEAMCALLS;
		const struct leaf_ref *leaf = leaf_by_number(r, guest, guest ? at - SEAMCALLS : at);

		if (leaf)
			return leaf;
	}
	return NULL;
}

const struct lock_step *leaf_plan(enum sl_release r, const struct leaf_ref *leaf)
{
	return lock_plan(r, leaf->guest, leaf->number, leaf->version);
}

bool leaf_version_1(enum sl_release r, const struct leaf_ref *leaf, struct leaf_ref *out)
{
	if (leaf->guest || !lock_plan_has_version(r, leaf->number, 1))
		return false;
	*out = *leaf;
	out->version = 1;
	return true;
}

/* ---- what the plans do not say ----------------------------------------------------------- */

const char *leaf_lock_note(const struct leaf_ref *leaf, enum lock_object object)
{
#define SL_LOCK_NOTE(ident, object_, text)                                                \
	if (!leaf->guest && leaf->number == SEAMCALL_##ident && object == LOCK_##object_) \
		return (text);
#include "module/contention.def"
#undef SL_LOCK_NOTE
	return NULL;
}

static bool is_any_page(const struct leaf_ref *leaf)
{
#define SL_LOCK_ANY_PAGE(ident)                               \
	if (!leaf->guest && leaf->number == SEAMCALL_##ident) \
		return true;
#include "module/contention.def"
#undef SL_LOCK_ANY_PAGE
	return false;
}

static bool may_be_large(const struct leaf_ref *leaf, const struct lock_step *s)
{
	if (s->object == LOCK_LARGE_PAGE)
		return true;
#define SL_LOCK_LARGE(ident, object_)                                                        \
	if (!leaf->guest && leaf->number == SEAMCALL_##ident && s->object == LOCK_##object_) \
		return true;
#include "module/contention.def"
#undef SL_LOCK_LARGE
	return false;
}

static bool is_kept(u32 object)
{
#define SL_LOCK_KEPT(object_)         \
	if (object == LOCK_##object_) \
		return true;
#include "module/contention.def"
#undef SL_LOCK_KEPT
	return false;
}

const char *lock_absent(enum lock_object object)
{
#define SL_LOCK_ABSENT(object_, why)  \
	if (object == LOCK_##object_) \
		return (why);
#include "module/contention.def"
#undef SL_LOCK_ABSENT
	return NULL;
}

bool leaf_lock_hardened(const struct leaf_ref *leaf, enum lock_object object)
{
#define SL_LOCK_HARDENED(ident, object_)                                                  \
	if (!leaf->guest && leaf->number == SEAMCALL_##ident && object == LOCK_##object_) \
		return true;
#include "module/contention.def"
#undef SL_LOCK_HARDENED
	return false;
}

static bool is_tracked(const struct leaf_ref *leaf, const struct lock_step *s)
{
#define SL_LOCK_TRACKED(ident, object_)                                                      \
	if (!leaf->guest && leaf->number == SEAMCALL_##ident && s->object == LOCK_##object_) \
		return true;
#include "module/contention.def"
#undef SL_LOCK_TRACKED
	return false;
}

struct levels {
	u32 low, high;
};

static struct levels leaf_levels(const struct leaf_ref *leaf)
{
#define SL_LOCK_LEVELS(ident, low, high)                      \
	if (!leaf->guest && leaf->number == SEAMCALL_##ident) \
		return (struct levels){ low, high };
#define SL_LOCK_LEVELS_TDG(ident, low, high)               \
	if (leaf->guest && leaf->number == TDCALL_##ident) \
		return (struct levels){ low, high };
#include "module/contention.def"
#undef SL_LOCK_LEVELS
	return (struct levels){ 0, 4 };
}

/* ---- meetings ---------------------------------------------------------------------------- */

static bool is_page(u32 object)
{
	return object == LOCK_PAGE || object == LOCK_TDR || object == LOCK_TDVPR ||
	       object == LOCK_L2_PAGE || object == LOCK_PAMT_PAGE;
}

/* The lock that both steps may name, LOCK_END if there is none. */
static enum lock_object common(const struct leaf_ref *la, const struct lock_step *a,
			       const struct leaf_ref *lb, const struct lock_step *b)
{
	if (a->object == b->object)
		return (enum lock_object)a->object;
	if ((a->object == LOCK_ENTRY && b->object == LOCK_CHILD) ||
	    (a->object == LOCK_CHILD && b->object == LOCK_ENTRY))
		return LOCK_ENTRY;
	if (a->object == LOCK_PAGE && is_any_page(la) && is_page(b->object))
		return (enum lock_object)b->object;
	if (b->object == LOCK_PAGE && is_any_page(lb) && is_page(a->object))
		return (enum lock_object)a->object;
	return LOCK_END;
}

/* Does @a, of a page that may be large, cover the page of @b? */
static bool covers(const struct leaf_ref *la, const struct lock_step *a, const struct leaf_ref *lb,
		   const struct lock_step *b)
{
	if (a->mode != LOCK_EX || !may_be_large(la, a))
		return false;
	/* A walk takes the entries above its page shared; so do two large pages meet. */
	return b->path == LOCK_WALK || (b->mode == LOCK_EX && may_be_large(lb, b));
}

/* ---- what keeps two leaves apart --------------------------------------------------------- */

/* One of two leaves at a lock that both name. */
struct side {
	const struct leaf_ref *leaf;
	const struct lock_step *plan, *step;
};

static bool is_behind(const struct side *s, enum lock_object object)
{
	for (const struct lock_step *p = s->plan; p != s->step; p++)
		if (p->object == object)
			return true;
	return false;
}

/* A page that the leaf finds in the entry that it has locked. */
static bool is_found_in_entry(const struct side *s)
{
	return s->step->path == LOCK_LEAF && is_behind(s, LOCK_ENTRY);
}

static bool is_entry(const struct side *s)
{
	return s->step->object == LOCK_ENTRY || s->step->object == LOCK_CHILD;
}

/* A lock of the whole TD that both have by then, and not both shared. */
static const struct lock_step *shadow(const struct side *a, const struct side *b)
{
	for (const struct lock_step *x = a->plan; x != a->step; x++)
		for (const struct lock_step *y = b->plan; y != b->step; y++)
			if (x->object == y->object && (x->mode == LOCK_EX || y->mode == LOCK_EX) &&
			    objects[x->object].scope == SCOPE_TD &&
			    !leaf_lock_note(a->leaf, (enum lock_object)x->object) &&
			    !leaf_lock_note(b->leaf, (enum lock_object)x->object))
				return x;
	return NULL;
}

static bool levels_meet(const struct side *a, const struct side *b)
{
	struct levels x = leaf_levels(a->leaf), y = leaf_levels(b->leaf);
	u32 down_x = a->step->object == LOCK_CHILD, down_y = b->step->object == LOCK_CHILD;

	return x.low - down_x <= y.high - down_y && y.low - down_y <= x.high - down_x;
}

/* OP_STATEs in which the leaf gets as far as this lock: all of them, if it comes before the check. */
static u32 op_states(enum sl_release r, const struct side *s)
{
	/* A TDCALL is made by a vCPU that was entered. */
	u32 mask = release_op_allowed(r, s->leaf->guest ? SEAMCALL_tdh_vp_enter : s->leaf->number);

	return mask && (s->leaf->guest || is_behind(s, LOCK_OP_STATE)) ? mask : ~0u;
}

/* Guests that run in any of these states run only where a range has to be blocked and tracked. */
static bool all_track(u32 states)
{
#define SL_OP_STATE(number, name, tracking)        \
	if ((states >> (number)&1) && !(tracking)) \
		return false;
#include "module/op_state.def"
#undef SL_OP_STATE
	return true;
}

static bool tracking_parts(enum sl_release r, const struct side *a, const struct side *b)
{
	return is_tracked(a->leaf, a->step) && b->leaf->guest && all_track(op_states(r, b));
}

/* Why the two never hold or want the lock at once; NULL if they may. */
static const char *kept_apart(enum sl_release r, enum lock_object object, const struct side *a,
			      const struct side *b)
{
	u32 scope = objects[object].scope;

	if (is_found_in_entry(a) && is_found_in_entry(b))
		return "each finds the page in an entry that it has locked, and a page has one entry";
	if (is_entry(a) && is_entry(b)) {
		if (a->step->object == LOCK_CHILD && b->step->object == LOCK_CHILD)
			return "each has locked the entry above, which is the same";
		if (!levels_meet(a, b))
			return "they lock entries of different levels";
		if (tracking_parts(r, a, b) || tracking_parts(r, b, a))
			return "where guests run, a range that was blocked and tracked is out of "
			       "their reach";
	}
	if ((scope == SCOPE_TD || scope == SCOPE_VCPU || scope == SCOPE_ENTRY) &&
	    !(op_states(r, a) & op_states(r, b)))
		return "no OP_STATE in which both get so far";
	if (scope == SCOPE_ENTRY && shadow(a, b))
		return shadow(a, b)->object == LOCK_TREE
			       ? "the S-EPT tree, which both take before, keeps them apart"
			       : "a lock of the TD, which both take before, keeps them apart";
	return NULL;
}

static u32 add(struct meeting *out, u32 n, enum lock_object object, const struct lock_step *a,
	       const struct lock_step *b, const char *never)
{
	u32 at = n;

	SL_BUG_ON(n == MEETINGS_MAX);
	while (at && out[at - 1].object > object) {
		out[at] = out[at - 1];
		at--;
	}
	out[at] = (struct meeting){ .a = a, .b = b, .object = (u8)object, .never = never };
	return n + 1;
}

/* The lock that both name, if not both only to share it; LOCK_END if there is none. */
static enum lock_object one_lock(const struct side *a, const struct side *b)
{
	bool shared = a->step->mode == LOCK_SH && b->step->mode == LOCK_SH;

	return shared ? LOCK_END : common(a->leaf, a->step, b->leaf, b->step);
}

/* LARGE_PAGE if the page of one of them may lie inside that of the other, LOCK_END if not. */
static enum lock_object one_range(const struct side *a, const struct side *b)
{
	return covers(a->leaf, a->step, b->leaf, b->step) ||
			       covers(b->leaf, b->step, a->leaf, a->step)
		       ? LOCK_LARGE_PAGE
		       : LOCK_END;
}

/* Meetings if not @never, else those that do not come about. */
static u32 meetings(enum sl_release r, const struct leaf_ref *la, const struct leaf_ref *lb,
		    bool never, struct meeting out[MEETINGS_MAX])
{
	struct side a = { .leaf = la, .plan = leaf_plan(r, la) };
	struct side b = { .leaf = lb, .plan = leaf_plan(r, lb) };
	u32 n = 0;

	for (a.step = a.plan; a.step && a.step->object != LOCK_END; a.step++) {
		for (b.step = b.plan; b.step && b.step->object != LOCK_END; b.step++) {
			enum lock_object object[] = { one_lock(&a, &b), one_range(&a, &b) };

			for (u32 i = object[0] == object[1]; i < 2; i++) {
				const char *why;

				if (object[i] == LOCK_END)
					continue;
				why = kept_apart(r, object[i], &a, &b);
				if (never == (why != NULL))
					n = add(out, n, object[i], a.step, b.step, why);
			}
		}
		if (!never && lb->guest && a.step->mode == LOCK_EX && is_kept(a.step->object))
			n = add(out, n, (enum lock_object)a.step->object, a.step, NULL, NULL);
	}
	for (b.step = b.plan; !never && la->guest && b.step && b.step->object != LOCK_END; b.step++)
		if (b.step->mode == LOCK_EX && is_kept(b.step->object))
			n = add(out, n, (enum lock_object)b.step->object, NULL, b.step, NULL);
	return n;
}

u32 leaf_meetings(enum sl_release r, const struct leaf_ref *a, const struct leaf_ref *b,
		  struct meeting out[MEETINGS_MAX])
{
	return meetings(r, a, b, false, out);
}

u32 leaf_non_meetings(enum sl_release r, const struct leaf_ref *a, const struct leaf_ref *b,
		      struct meeting out[MEETINGS_MAX])
{
	return meetings(r, a, b, true, out);
}
