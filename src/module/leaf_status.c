// SPDX-License-Identifier: MIT
/* The lists of leaf_status.def. Layer: module. */
#include "module/leaf_status.h"

#include <seamlab/tdx_abi.h>

#define TDX_OPERAND_ID_NONE 0

/* The status constants are objects, which C does not take in a static initialiser. */
enum {
#define SL_STATUS(name, upper) UPPER_##name = (int)(upper),
#include <seamlab/tdx_status.def>
#undef SL_STATUS
#define SL_NEW_STATUS(since, name, upper, who) UPPER_##name = (int)(upper),
#include <seamlab/tdx_release.def>
#undef SL_NEW_STATUS
};

#define STATUS_TDH_ANY           static const u64 seamcall_any[] = {
#define STATUS_TDG_ANY           static const u64 tdcall_any[] = {
#define STATUS_TDH(leaf)         static const u64 status_##leaf[] = {
#define STATUS_TDG(leaf)         STATUS_TDH(leaf)
#define RET_DETAIL(name, number) (u64)(u32) UPPER_##name << 32 | (number),
#define RET(name, operand)       RET_DETAIL(name, TDX_OPERAND_ID_##operand)
#define RET_EXIT(reason)         reason,
#define END \
	}   \
	;
#include "module/leaf_status.def"
#undef STATUS_TDH_ANY
#undef STATUS_TDG_ANY
#undef STATUS_TDH
#undef STATUS_TDG
#undef RET_DETAIL
#undef RET
#undef RET_EXIT
#undef END
#define RET_DETAIL(name, number)
#define RET(name, operand)
#define RET_EXIT(reason)
#define END

const u64 *leaf_status_seamcall(u32 leaf, u32 *count)
{
	switch (leaf) {
#define LIST(list)                 \
	*count = ARRAY_SIZE(list); \
	return list;
#define STATUS_TDH_ANY \
	case LEAF_ANY: \
		LIST(seamcall_any)
#define STATUS_TDG_ANY
#define STATUS_TDH(ident)      \
	case SEAMCALL_##ident: \
		LIST(status_##ident)
#define STATUS_TDG(ident)
#include "module/leaf_status.def"
#undef STATUS_TDH_ANY
#undef STATUS_TDG_ANY
#undef STATUS_TDH
#undef STATUS_TDG
	default:
		return NULL;
	}
}

const u64 *leaf_status_tdcall(u32 leaf, u32 *count)
{
	switch (leaf) {
#define STATUS_TDH_ANY
#define STATUS_TDG_ANY \
	case LEAF_ANY: \
		LIST(tdcall_any)
#define STATUS_TDH(ident)
#define STATUS_TDG(ident)    \
	case TDCALL_##ident: \
		LIST(status_##ident)
#include "module/leaf_status.def"
	default:
		return NULL;
	}
}

static bool is_listed(const u64 *list, u32 count, u64 status)
{
	for (u32 i = 0; list && i < count; i++)
		if (list[i] == status)
			return true;
	return false;
}

const struct lock_step *leaf_status_locks(bool guest, u32 leaf)
{
	/* No later plan lacks a status that an earlier one has. */
	return lock_plan(SL_RELEASES - 1, guest, leaf, 0);
}

bool leaf_may_return(bool guest, u32 leaf, u64 status)
{
	const struct lock_step *s = leaf_status_locks(guest, leaf);
	const u64 *(*list)(u32, u32 *) = guest ? leaf_status_tdcall : leaf_status_seamcall;
	const u64 *own, *any;
	u32 own_count = 0, any_count = 0;

	for (; s && s->object != LOCK_END; s++)
		if (s->busy == status)
			return true;
	own = list(leaf, &own_count);
	any = list(LEAF_ANY, &any_count);
	return is_listed(own, own_count, status) || is_listed(any, any_count, status);
}
