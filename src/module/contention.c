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
#define SL_NEW_SEAMCALL(since_, ident_, number_, name_) \
	[number_] = { { .number = (number_), .name = (name_), .ident = #ident_ }, (since_) },
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

static u32 add(struct meeting *out, u32 n, enum lock_object object, const struct lock_step *a,
	       const struct lock_step *b)
{
	u32 at = n;

	SL_BUG_ON(n == MEETINGS_MAX);
	while (at && out[at - 1].object > object) {
		out[at] = out[at - 1];
		at--;
	}
	out[at] = (struct meeting){ .a = a, .b = b, .object = (u8)object };
	return n + 1;
}

u32 leaf_meetings(enum sl_release r, const struct leaf_ref *la, const struct leaf_ref *lb,
		  struct meeting out[MEETINGS_MAX])
{
	const struct lock_step *pa = leaf_plan(r, la), *pb = leaf_plan(r, lb);
	u32 n = 0;

	for (const struct lock_step *a = pa; a && a->object != LOCK_END; a++) {
		for (const struct lock_step *b = pb; b && b->object != LOCK_END; b++) {
			enum lock_object object = common(la, a, lb, b);

			if (object != LOCK_END && (a->mode == LOCK_EX || b->mode == LOCK_EX))
				n = add(out, n, object, a, b);
			else if (covers(la, a, lb, b) || covers(lb, b, la, a))
				n = add(out, n, LOCK_LARGE_PAGE, a, b);
		}
		if (lb->guest && a->mode == LOCK_EX && is_kept(a->object))
			n = add(out, n, (enum lock_object)a->object, a, NULL);
	}
	for (const struct lock_step *b = pb; la->guest && b && b->object != LOCK_END; b++)
		if (b->mode == LOCK_EX && is_kept(b->object))
			n = add(out, n, (enum lock_object)b->object, NULL, b);
	return n;
}
