/* SPDX-License-Identifier: MIT */
/*
 * Lock plans as data: which locks a leaf takes, in which order, in which mode, and what it returns
 * when it does not get one. The leaves are asserted against them. Layer: module.
 */
#ifndef SL_MODULE_PLAN_H
#define SL_MODULE_PLAN_H

#include "base/types.h"

enum lock_object {
	LOCK_END, /* terminates a plan */
	LOCK_SYS,
	LOCK_TDMR,
	LOCK_KOT,
	LOCK_KET,
	LOCK_WBT,
	LOCK_TDR,
	LOCK_TDVPR,
	LOCK_PAGE,
	LOCK_OP_STATE,
	LOCK_EPOCH,
	LOCK_TREE,
	LOCK_ENTRY,
	LOCK_RTMR,
};

enum lock_path {
	LOCK_WALK,
	LOCK_LEAF,
	LOCK_WORD,
	LOCK_IN_ENTRY,
};

enum lock_kind {
	LOCK_KIND_MUTEX,
	LOCK_KIND_SHAREX,
	LOCK_KIND_SHAREX_HP,
	LOCK_KIND_TDEL,
};

enum lock_mode {
	LOCK_SH,
	LOCK_EX,
};

struct lock_step {
	u8 object;
	u8 path;
	u8 kind;
	u8 mode;
	u8 guest;    /* side */
	u16 operand; /* operand id of the busy status, 0 for none */
	u64 busy;    /* busy status with its operand id */
};

/* Plan of a SEAMCALL or TDCALL leaf, ended by LOCK_END; NULL for a leaf that takes no lock. */
const struct lock_step *lock_plan_seamcall(u32 leaf);
const struct lock_step *lock_plan_tdcall(u32 leaf);

#endif
