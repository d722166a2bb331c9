// SPDX-License-Identifier: MIT
/* Releases, made from tdx_release.def and the tables of 1.5.01. Layer: module. */
#include "module/release.h"

#include <string.h>

#include <seamlab/tdx_abi.h>

static const struct {
	u32 patch;
	const char *name;
} releases[] = {
#define SL_RELEASE(ident, patch_, name_) \
	[SL_RELEASE_##ident] = { .patch = (patch_), .name = (name_) },
#include <seamlab/tdx_release.def>
#undef SL_RELEASE
};

const char *sl_release_name(enum sl_release release)
{
	return (u32)release < ARRAY_SIZE(releases) ? releases[release].name : NULL;
}

bool sl_release_find(const char *name, enum sl_release *release)
{
	for (u32 i = 0; i < ARRAY_SIZE(releases); i++)
		if (!strcmp(releases[i].name, name)) {
			*release = (enum sl_release)i;
			return true;
		}
	return false;
}

bool sl_release_has_dynamic_pamt(enum sl_release r)
{
	return release_changes(r) >> CHANGE_DYNAMIC_PAMT & 1;
}

bool release_has(enum sl_release r, u32 since)
{
	return releases[r].patch >= since;
}

u64 release_changes(enum sl_release r)
{
	u64 set = 0;

#define SL_CHANGE(since, ident, where, before, after) \
	set |= release_has(r, since) ? BIT_ULL(CHANGE_##ident) : 0;
#include <seamlab/tdx_release.def>
#undef SL_CHANGE
	return set;
}

const char *release_op_state_name(enum sl_release r, u32 op_state)
{
	switch (op_state) {
#define SL_OP_STATE(number, name, tracking) \
	case number:                        \
		return #name;
#include "module/op_state.def"
#undef SL_OP_STATE
#define SL_NEW_OP_STATE(since, number, name, tracking) \
	case number:                                   \
		return release_has(r, since) ? #name : NULL;
#include <seamlab/tdx_release.def>
#undef SL_NEW_OP_STATE
	default:
		return NULL;
	}
}

#define O(n)  BIT_ULL(n)
#define O_ALL 0x7FFu

bool release_op_row(enum sl_release r, u32 leaf, u32 *mask)
{
	bool found = true;

	switch (leaf) {
#define SL_OP_ALLOWED(ident, mask_)   \
	case SEAMCALL_##ident:        \
		*mask = (u32)(mask_); \
		break;
#include "module/op_state.def"
#undef SL_OP_ALLOWED
	default:
		*mask = O_ALL;
		found = false;
	}
#define SL_NEW_OP_ALLOWED(since, ident, mask_)                 \
	if (leaf == SEAMCALL_##ident && release_has(r, since)) \
		*mask |= (u32)(mask_);
#include <seamlab/tdx_release.def>
#undef SL_NEW_OP_ALLOWED
	return found;
}

#undef O
#undef O_ALL

u32 release_op_allowed(enum sl_release r, u32 leaf)
{
	u32 mask;

	release_op_row(r, leaf, &mask);
	return mask;
}

u32 release_seamcall_version(enum sl_release r, u32 leaf)
{
	switch (leaf) {
	case SEAMCALL_tdh_mem_page_promote:
	case SEAMCALL_tdh_mem_sept_add:
	case SEAMCALL_tdh_mem_sept_remove:
	case SEAMCALL_tdh_mng_rd:
	case SEAMCALL_tdh_vp_rd:
		return 1;
#define SL_NEW_VERSION(since, ident, name, modelled) \
	case SEAMCALL_##ident:                       \
		return (modelled) && release_has(r, since) ? 1 : 0;
#include <seamlab/tdx_release.def>
#undef SL_NEW_VERSION
	default:
		return 0;
	}
}
