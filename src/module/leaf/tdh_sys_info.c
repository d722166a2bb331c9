// SPDX-License-Identifier: MIT
#include <string.h>

#include "module/leaf/leaf.h"
#include "module/sys_info.h"

/* TDSYSINFO_STRUCT, 1024 bytes. */
struct tdsysinfo {
	u32 attributes;
	u32 vendor_id;
	u32 build_date;
	u16 build_num;
	u16 minor_version;
	u16 major_version;
	u8 reserved0[14];
	u16 max_tdmrs;
	u16 max_reserved_per_tdmr;
	u16 pamt_entry_size;
	u8 reserved1[10];
	u16 tdcs_base_size;
	u8 reserved2[2];
	u16 tdvps_base_size;
	u8 tdvps_xfam_dependent_size;
	u8 reserved3[9];
	u64 attributes_fixed0;
	u64 attributes_fixed1;
	u64 xfam_fixed0;
	u64 xfam_fixed1;
	u8 reserved4[32];
	u32 num_cpuid_config;
	u8 cpuid_config[892];
};
_Static_assert(sizeof(struct tdsysinfo) == 1024, "TDSYSINFO_STRUCT is 1024 bytes");

struct cmr {
	u64 base, size;
};

#define VENDOR_INTEL  0x8086
#define MAJOR_VERSION 1
#define MINOR_VERSION 5
#define CMRS_ALIGN    512

/*
 * tdh_sys_info - describe the module and the convertible memory
 *
 * Side:   host
 * Locks:  none
 * Checks: LP initialised, buffer, its size, CMR buffer, its number of entries
 * Commit: both buffers, which are shared memory
 * Status: SUCCESS, SYS_LP_INIT_NOT_DONE, OPERAND_INVALID (RCX, RDX, R8, R9). RDX: bytes written; R9:
 *         CMR entries written, all but the first of which are empty here
 */
u64 tdh_sys_info(struct call *c)
{
	struct tdx_module_args *a = c->args;
	struct cmr cmrs[SYS_MAX_CMRS] = { { SL_PRIVATE_BASE, c->m->mem.pages << SL_PAGE_SHIFT } };
	struct tdsysinfo info = {
		.vendor_id = VENDOR_INTEL,
		.minor_version = MINOR_VERSION,
		.major_version = MAJOR_VERSION,
		.max_tdmrs = SYS_MAX_TDMRS,
		.max_reserved_per_tdmr = SYS_MAX_RESERVED,
		.pamt_entry_size = sizeof(struct pamt_entry),
		.tdcs_base_size = TDCX_MIN * SL_PAGE_SIZE,
		.tdvps_base_size = TDVPS_PAGES_MIN * SL_PAGE_SIZE,
		.attributes_fixed0 = TD_ATTRIBUTES_ALLOWED,
		.xfam_fixed0 = TD_XFAM_ALLOWED,
		.xfam_fixed1 = TD_XFAM_FIXED1,
	};
	void *to_info, *to_cmrs;

	if (!c->lp->initialized)
		return TDX_SYS_LP_INIT_NOT_DONE;
	to_info = shared_operand(c->m, a->rcx, sizeof(info));
	if (!to_info)
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RCX);
	if (a->rdx < sizeof(info))
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RDX);
	to_cmrs = shared_operand(c->m, a->r8, CMRS_ALIGN);
	if (!to_cmrs)
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_R8);
	if (a->r9 < SYS_MAX_CMRS)
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_R9);
	memcpy(to_info, &info, sizeof(info));
	memcpy(to_cmrs, cmrs, sizeof(cmrs));
	a->rdx = sizeof(info);
	a->r9 = SYS_MAX_CMRS;
	return 0;
}
