/* SPDX-License-Identifier: MIT */
/*
 * What a release of the module is, read from <seamlab/tdx_release.def>: the rest of the tree asks here
 * and never compares releases. Layer: module.
 */
#ifndef SL_MODULE_RELEASE_H
#define SL_MODULE_RELEASE_H

#include <seamlab/module.h>

#include "base/types.h"
#include "module/plan.h"

/* Changes of behaviour, the rows SL_CHANGE. */
enum release_change {
#define SL_CHANGE(since, ident, where, before, after) CHANGE_##ident,
#include <seamlab/tdx_release.def>
#undef SL_CHANGE
	CHANGE_COUNT
};
_Static_assert(CHANGE_COUNT <= 64, "a release's changes fit one word");

/* Does a row with this @since hold for @r? */
bool release_has(enum sl_release r, u32 since);
/* Set of enum release_change, one bit each. */
u64 release_changes(enum sl_release r);

/* OP_STATEs of all releases have smaller numbers than this. */
#define OP_STATE_NUMBERS 12
/* NULL if @r has no such OP_STATE. */
const char *release_op_state_name(enum sl_release r, u32 op_state);

/* Mask over OP_STATE that this SEAMCALL leaf accepts; everything for a leaf without a row. */
u32 release_op_allowed(enum sl_release r, u32 leaf);
/* The same, and whether there is a row. */
bool release_op_row(enum sl_release r, u32 leaf, u32 *mask);

/* Highest version of a SEAMCALL leaf that @r takes. One that is not modelled here does not count. */
u32 release_seamcall_version(enum sl_release r, u32 leaf);

#endif
