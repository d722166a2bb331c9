// SPDX-License-Identifier: MIT
/* One function for each SEAMCALL. */
#include "tdx.h"

/* The host's own sleeping locks keep most callers apart; what is left is the guest, and short. */
#ifndef RETRIES_MAX
#define RETRIES_MAX 1000000
#endif

typedef u64 (*seamcall_fn)(u64 fn, struct tdx_module_args *args);

/* Tries again while something is BUSY, from the same registers each time. */
static u64 call_retry(seamcall_fn call, u64 fn, struct tdx_module_args *args)
{
	const struct tdx_module_args in = *args;
	u64 status = 0;

	for (int i = 0; i < RETRIES_MAX; i++) {
		*args = in;
		status = call(fn, args);
		if (tdx_class(status) != TDX_OPERAND_BUSY)
			break;
		cpu_relax();
	}
	return status;
}

static u64 call3(u64 fn, u64 rcx, u64 rdx, u64 r8)
{
	struct tdx_module_args args = { .rcx = rcx, .rdx = rdx, .r8 = r8 };

	return call_retry(__seamcall, fn, &args);
}

/* Calls about an S-EPT entry bring back the entry and its state when they fail. */
static u64 call_entry(u64 fn, struct tdx_module_args *args, u64 *entry, u64 *state)
{
	u64 status = call_retry(__seamcall_ret, fn, args);

	*entry = args->rcx;
	*state = args->rdx;
	return status;
}

u64 tdh_sys_init(void)
{
	return call3(SEAMCALL_tdh_sys_init, 0, 0, 0);
}

u64 tdh_sys_lp_init(void)
{
	return call3(SEAMCALL_tdh_sys_lp_init, 0, 0, 0);
}

u64 tdh_sys_config(u64 tdmr_array, u64 count, u64 hkid)
{
	return call3(SEAMCALL_tdh_sys_config, tdmr_array, count, hkid);
}

u64 tdh_sys_key_config(void)
{
	return call3(SEAMCALL_tdh_sys_key_config, 0, 0, 0);
}

u64 tdh_sys_tdmr_init(u64 tdmr, u64 *next)
{
	struct tdx_module_args args = { .rcx = tdmr };
	u64 status = call_retry(__seamcall_ret, SEAMCALL_tdh_sys_tdmr_init, &args);

	*next = args.rdx;
	return status;
}

u64 tdh_mng_create(u64 tdr, u64 hkid)
{
	return call3(SEAMCALL_tdh_mng_create, tdr, hkid, 0);
}

u64 tdh_mng_key_config(u64 tdr)
{
	return call3(SEAMCALL_tdh_mng_key_config, tdr, 0, 0);
}

u64 tdh_mng_addcx(u64 tdr, u64 page)
{
	return call3(SEAMCALL_tdh_mng_addcx, page, tdr, 0);
}

u64 tdh_mng_init(u64 tdr, u64 params, u64 *extended)
{
	struct tdx_module_args args = { .rcx = tdr, .rdx = params };
	u64 status = call_retry(__seamcall_ret, SEAMCALL_tdh_mng_init, &args);

	*extended = args.rcx;
	return status;
}

u64 tdh_mr_finalize(u64 tdr)
{
	return call3(SEAMCALL_tdh_mr_finalize, tdr, 0, 0);
}

u64 tdh_mng_vpflushdone(u64 tdr)
{
	return call3(SEAMCALL_tdh_mng_vpflushdone, tdr, 0, 0);
}

u64 tdh_phymem_cache_wb(bool resume)
{
	return call3(SEAMCALL_tdh_phymem_cache_wb, resume, 0, 0);
}

u64 tdh_mng_key_freeid(u64 tdr)
{
	return call3(SEAMCALL_tdh_mng_key_freeid, tdr, 0, 0);
}

u64 tdh_phymem_page_reclaim(u64 page, u64 *type, u64 *owner, u64 *size)
{
	struct tdx_module_args args = { .rcx = page };
	u64 status = call_retry(__seamcall_ret, SEAMCALL_tdh_phymem_page_reclaim, &args);

	*type = args.rcx;
	*owner = args.rdx;
	*size = args.r8;
	return status;
}

u64 tdh_phymem_page_wbinvd(u64 page, u64 hkid)
{
	return call3(SEAMCALL_tdh_phymem_page_wbinvd, page | hkid << SL_HKID_SHIFT, 0, 0);
}

u64 tdh_vp_create(u64 tdr, u64 tdvpr)
{
	return call3(SEAMCALL_tdh_vp_create, tdvpr, tdr, 0);
}

u64 tdh_vp_addcx(u64 tdvpr, u64 page)
{
	return call3(SEAMCALL_tdh_vp_addcx, page, tdvpr, 0);
}

u64 tdh_vp_init(u64 tdvpr, u64 rcx)
{
	return call3(SEAMCALL_tdh_vp_init, tdvpr, rcx, 0);
}

u64 tdh_vp_flush(u64 tdvpr)
{
	return call3(SEAMCALL_tdh_vp_flush, tdvpr, 0, 0);
}

u64 tdh_vp_enter(u64 tdvpr, struct tdx_module_args *args)
{
	args->rcx = tdvpr;
	return __seamcall_saved_ret(SEAMCALL_tdh_vp_enter, args);
}

u64 tdh_mem_sept_add(u64 tdr, u64 gpa, int level, u64 page, u64 *entry, u64 *state)
{
	struct tdx_module_args args = { .rcx = gpa | (u64)level, .rdx = tdr, .r8 = page };

	return call_entry(SEAMCALL_tdh_mem_sept_add, &args, entry, state);
}

u64 tdh_mem_page_add(u64 tdr, u64 gpa, u64 page, u64 source, u64 *entry, u64 *state)
{
	struct tdx_module_args args = { .rcx = gpa, .rdx = tdr, .r8 = page, .r9 = source };

	return call_entry(SEAMCALL_tdh_mem_page_add, &args, entry, state);
}

u64 tdh_mr_extend(u64 tdr, u64 gpa)
{
	return call3(SEAMCALL_tdh_mr_extend, gpa, tdr, 0);
}

u64 tdh_mem_page_aug(u64 tdr, u64 gpa, int level, u64 page, u64 *entry, u64 *state)
{
	struct tdx_module_args args = { .rcx = gpa | (u64)level, .rdx = tdr, .r8 = page };

	return call_entry(SEAMCALL_tdh_mem_page_aug, &args, entry, state);
}

u64 tdh_mem_range_block(u64 tdr, u64 gpa, int level, u64 *entry, u64 *state)
{
	struct tdx_module_args args = { .rcx = gpa | (u64)level, .rdx = tdr };

	return call_entry(SEAMCALL_tdh_mem_range_block, &args, entry, state);
}

u64 tdh_mem_track(u64 tdr)
{
	return call3(SEAMCALL_tdh_mem_track, tdr, 0, 0);
}

u64 tdh_mem_page_remove(u64 tdr, u64 gpa, int level, u64 *entry, u64 *state)
{
	struct tdx_module_args args = { .rcx = gpa | (u64)level, .rdx = tdr };

	return call_entry(SEAMCALL_tdh_mem_page_remove, &args, entry, state);
}
