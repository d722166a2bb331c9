// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"
#include "module/sys.h"
#include "module/sys_info.h"

#define TDMR_INFO_ALIGN 512
/* Of R8, beside the key id. */
#define CONFIG_DYNAMIC_PAMT BIT_ULL(16)

/*
 * tdh_sys_config - tell the module its memory (TDMRs) and its own key id
 *
 * Side:   host
 * Locks:  global exclusive
 * Checks: operands, module state and all LPs initialised, HKID free, each TDMR_INFO
 * Commit: dynamic PAMT on or off; KOT entry of the module's HKID (before the TDMRs are validated, not undone on
 *         failure); state := CONFIG_DONE
 * Status: SUCCESS, SYS_BUSY, OPERAND_INVALID, SYS_CONFIG_NOT_PENDING, INVALID_TDMR,
 *         TDMR_OUTSIDE_CMRS
 *
 * The machine has one convertible memory range, SL_PRIVATE_BASE up; a TDMR must be that range,
 * rounded up to 1 GB, since the PAMT arrays stand ready for it.
 */
u64 tdh_sys_config(struct call *c)
{
	struct sl_machine *m = c->m;
	u64 count = c->args->rdx, hkid = c->args->r8, size = m->mem.blocks << SL_LEVEL_SHIFT(2);
	const u64 *info_pa, *info;
	bool dynamic_pamt = m->cfg.dynamic_pamt && (hkid & CONFIG_DYNAMIC_PAMT);
	u64 st;

	if (count < 1 || count > SYS_MAX_TDMRS)
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RDX);
	if (dynamic_pamt)
		hkid &= ~CONFIG_DYNAMIC_PAMT;
	if (hkid < SL_HKID_PRIVATE || hkid >= SL_HKIDS)
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_R8);
	info_pa = shared_operand(m, c->args->rcx, TDMR_INFO_ALIGN);
	if (!info_pa)
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RCX);
	st = sharex_lock(c, LOCK_SYS, &m->sys_lock, LOCK_EX);
	if (st)
		return st;
	if (sys_state(m) != SYS_INIT_DONE ||
	    atomic_load_explicit(&m->lps_initialized, memory_order_relaxed) != m->cfg.lps) {
		st = TDX_SYS_CONFIG_NOT_PENDING;
		goto out;
	}
	m->kot[hkid].state = KOT_RESERVED;
	info = shared_operand(m, info_pa[0], TDMR_INFO_ALIGN);
	if (!info) {
		st = with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RCX);
		goto out;
	}
	if (!info[1] || !sl_is_aligned(info[0] | info[1], SL_LEVEL_SIZE(2)) ||
	    info[0] >> SL_HKID_SHIFT || info[1] >> SL_HKID_SHIFT) {
		st = TDX_INVALID_TDMR;
		goto out;
	}
	if (count > 1 || info[0] != SL_PRIVATE_BASE || info[1] != size) {
		st = with_op(TDX_TDMR_OUTSIDE_CMRS, count > 1);
		goto out;
	}
	m->dynamic_pamt = dynamic_pamt;
	sys_set_state(m, SYS_CONFIG_DONE);
out:
	sharex_unlock(c, &m->sys_lock, LOCK_EX);
	return st;
}
