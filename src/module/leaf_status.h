/* SPDX-License-Identifier: MIT */
/*
 * What each leaf may return, as data: leaf_status.def, and the BUSY statuses of the lock plans beside
 * it. Tests hold the leaves to it. Layer: module.
 */
#ifndef SL_MODULE_LEAF_STATUS_H
#define SL_MODULE_LEAF_STATUS_H

#include "base/types.h"
#include "module/plan.h"

/* As a leaf number: what the dispatcher returns itself, whatever the leaf. */
#define LEAF_ANY (~0u)

/*
 * Statuses that a leaf may return besides those of its locks; *count is their number. NULL for a leaf
 * that does not exist.
 */
const u64 *leaf_status_seamcall(u32 leaf, u32 *count);
const u64 *leaf_status_tdcall(u32 leaf, u32 *count);

/* The locks of the leaf in the newest release, whose BUSY statuses are those of all of them. */
const struct lock_step *leaf_status_locks(bool guest, u32 leaf);
/* Is @status one that the leaf may return: of its list, of its lock plan, or of the dispatcher? */
bool leaf_may_return(bool guest, u32 leaf, u64 status);

#endif
