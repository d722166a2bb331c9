// SPDX-License-Identifier: MIT
/* The lock plan tables, made from lock_plan.def and tdx_release.def. Layer: module. */
#include "module/plan.h"

#include "module/release.h"

#include <seamlab/hplock.h>
#include <seamlab/tdx_abi.h>

#define TDX_OPERAND_ID_NONE 0
#define LOCK_PATH_WALK      LOCK_WALK
#define LOCK_PATH_LEAF      LOCK_LEAF
#define LOCK_PATH_WORD      LOCK_WORD
#define LOCK_PATH_ENTRY     LOCK_IN_ENTRY

/* The status constants are objects, which C does not take in a static initialiser. */
enum {
#define SL_STATUS(name, upper) UPPER_##name = (int)(upper),
#include <seamlab/tdx_status.def>
#undef SL_STATUS
};

#define PLAN_TDH(leaf) static const struct lock_step plan_##leaf[] = {
#define PLAN_TDG(leaf) PLAN_TDH(leaf)
#define PLAN_SINCE(since, leaf, version) \
	static const struct lock_step plan_##leaf##_##since##_##version[] = {
#define ROW(obj, path_, kind_, mode_, side, busy_, op)                    \
	{ .what = LOCK_WHAT(LOCK_##obj, LOCK_PATH_##path_, LOCK_##mode_), \
	  .object = LOCK_##obj,                                           \
	  .path = LOCK_PATH_##path_,                                      \
	  .kind = LOCK_KIND_##kind_,                                      \
	  .mode = LOCK_##mode_,                                           \
	  .guest = HP_##side == HP_GUEST,                                 \
	  .operand = TDX_OPERAND_ID_##op,                                 \
	  .busy = (u64)(u32)UPPER_##busy_ << 32 | TDX_OPERAND_ID_##op },
#define END                        \
	{                          \
		.object = LOCK_END \
	}                          \
	}                          \
	;
#include "module/lock_plan.def"
#include <seamlab/tdx_release.def>
#undef PLAN_TDH
#undef PLAN_TDG
#undef PLAN_SINCE
#undef ROW
#undef END
#define ROW(obj, path_, kind_, mode_, side, busy_, op)
#define END

const struct lock_step *lock_plan_seamcall(u32 leaf)
{
	switch (leaf) {
#define PLAN_TDH(ident)        \
	case SEAMCALL_##ident: \
		return plan_##ident;
#define PLAN_TDG(ident)
#include "module/lock_plan.def"
#undef PLAN_TDH
#undef PLAN_TDG
	default:
		return NULL;
	}
}

const struct lock_step *lock_plan_tdcall(u32 leaf)
{
	switch (leaf) {
#define PLAN_TDH(ident)
#define PLAN_TDG(ident)      \
	case TDCALL_##ident: \
		return plan_##ident;
#include "module/lock_plan.def"
#undef PLAN_TDH
#undef PLAN_TDG
	default:
		return NULL;
	}
}

/* The newest plan that @r has of exactly this version, besides those of 1.5.01. */
static const struct lock_step *newer_plan(enum sl_release r, u32 leaf, u32 version)
{
	const struct lock_step *found = NULL;
	u32 newest = 0;

#define PLAN_SINCE(since, ident, version_)                                                \
	if (leaf == SEAMCALL_##ident && version == (version_) && release_has(r, since) && \
	    (since) > newest) {                                                           \
		newest = (since);                                                         \
		found = plan_##ident##_##since##_##version_;                              \
	}
#include <seamlab/tdx_release.def>
#undef PLAN_SINCE
	return found;
}

const struct lock_step *lock_plan(enum sl_release r, bool guest, u32 leaf, u32 version)
{
	const struct lock_step *newer = NULL;

	if (guest)
		return lock_plan_tdcall(leaf);
	if (r == SL_RELEASE_1_5_01)
		return lock_plan_seamcall(leaf);
	newer = newer_plan(r, leaf, version);
	if (!newer && version)
		newer = newer_plan(r, leaf, 0);
	return newer ? newer : lock_plan_seamcall(leaf);
}

bool lock_plan_has_version(enum sl_release r, u32 seamcall_leaf, u32 version)
{
	return newer_plan(r, seamcall_leaf, version);
}

enum lock_kind lock_kind(enum sl_release r, const struct lock_step *step)
{
#define SL_NEW_LOCK_KIND(since, object_, before, after)                \
	if (step->object == LOCK_##object_ && release_has(r, since) && \
	    step->kind == LOCK_KIND_##before)                          \
		return LOCK_KIND_##after;
#include <seamlab/tdx_release.def>
#undef SL_NEW_LOCK_KIND
	return (enum lock_kind)step->kind;
}

bool lock_free(bool guest, u32 leaf)
{
	static const struct {
		bool guest;
		u32 leaf;
	} list[] = {
#define PLAN_TDH(ident)
#define PLAN_TDG(ident)
#define LOCK_FREE_TDH(ident) { false, SEAMCALL_##ident },
#define LOCK_FREE_TDG(ident) { true, TDCALL_##ident },
#include "module/lock_plan.def"
#undef PLAN_TDH
#undef PLAN_TDG
	};

	for (u32 i = 0; i < ARRAY_SIZE(list); i++)
		if (list[i].guest == guest && list[i].leaf == leaf)
			return true;
	return false;
}
