// SPDX-License-Identifier: MIT
/* The lock plan tables, made from lock_plan.def. Layer: module. */
#include "module/plan.h"

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
#define ROW(obj, path_, kind_, mode_, side, busy_, op) \
	{ .object = LOCK_##obj,                        \
	  .path = LOCK_PATH_##path_,                   \
	  .kind = LOCK_KIND_##kind_,                   \
	  .mode = LOCK_##mode_,                        \
	  .guest = HP_##side == HP_GUEST,              \
	  .operand = TDX_OPERAND_ID_##op,              \
	  .busy = (u64)(u32)UPPER_##busy_ << 32 | TDX_OPERAND_ID_##op },
#define END                        \
	{                          \
		.object = LOCK_END \
	}                          \
	}                          \
	;
#include "module/lock_plan.def"
#undef PLAN_TDH
#undef PLAN_TDG
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
