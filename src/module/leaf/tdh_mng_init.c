// SPDX-License-Identifier: MIT
#include <string.h>

#include "module/leaf/leaf.h"
#include "module/measure.h"
#include "module/sys_info.h"

/* TD_PARAMS, 1024 bytes (spec: "Limits"). */
struct td_params {
	u64 attributes;
	u64 xfam;
	u16 max_vcpus;
	u8 num_l2_vms;
	u8 msr_config_ctls;
	u32 reserved0;
	u64 eptp_controls;
	u64 config_flags;
	u16 tsc_frequency; /* units of 25 MHz */
	u8 reserved1[38];
	u8 ids[3][48];
	u64 arch_capabilities;
	u8 reserved2[24];
	u8 cpuid[768];
};
_Static_assert(sizeof(struct td_params) == 1024, "TD_PARAMS is 1024 bytes");

#define CONFIG_GPAW    BIT_ULL(0)
#define CONFIG_ALLOWED (CONFIG_GPAW | TD_CONFIG_FLEXIBLE_VE | BIT_ULL(2))
#define EPTP_MT_WB     6ull
#define TSC_MIN        4   /* 100 MHz */
#define TSC_MAX        400 /* 10 GHz */

static bool all_zero(const u8 *p, size_t n)
{
	while (n--)
		if (*p++)
			return false;
	return true;
}

static u64 params_check(const struct td_params *p, u64 *rcx)
{
	u64 walk = p->eptp_controls >> 3 & 7;

	if (p->attributes & ~TD_ATTRIBUTES_ALLOWED)
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_ATTRIBUTES);
	if ((p->xfam & TD_XFAM_FIXED1) != TD_XFAM_FIXED1 || (p->xfam & ~TD_XFAM_ALLOWED))
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_XFAM);
	if (!p->max_vcpus)
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_MAX_VCPUS);
	/* No L2 VMs in this model: a TD that asks for some is refused as beyond the limit. */
	if (p->num_l2_vms)
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_NUM_L2_VMS);
	if (p->config_flags & ~CONFIG_ALLOWED)
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_EXEC_CONTROLS);
	if ((p->eptp_controls & 7) != EPTP_MT_WB || (walk != 3 && walk != 4) ||
	    (p->eptp_controls & ~GENMASK_ULL(5, 0)) ||
	    ((p->config_flags & CONFIG_GPAW) && walk != 4))
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_EPTP_CONTROLS);
	if (p->tsc_frequency < TSC_MIN || p->tsc_frequency > TSC_MAX)
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_TSC_FREQUENCY);
	if (p->msr_config_ctls & ~1u || (p->arch_capabilities && !(p->msr_config_ctls & 1)))
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_IA32_ARCH_CAPABILITIES_CONFIG);
	if (p->reserved0 || !all_zero(p->reserved1, sizeof(p->reserved1)) ||
	    !all_zero(p->reserved2, sizeof(p->reserved2)))
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RDX);
	/* No virtual CPUID leaf is configurable here: each 16-byte value must be zero. */
	for (u32 i = 0; i < sizeof(p->cpuid) / 16; i++)
		if (!all_zero(&p->cpuid[i * 16], 16)) {
			*rcx = i;
			return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_CPUID_CONFIG);
		}
	return 0;
}

static void tdcs_init(struct call *c, struct td_ref *td, const struct td_params *p)
{
	struct tdcs *t = td->tdcs;

	t->attributes = p->attributes;
	t->xfam = p->xfam;
	t->max_vcpus = p->max_vcpus;
	t->page_walk = (u8)(p->eptp_controls >> 3 & 7);
	t->gpaw = p->config_flags & CONFIG_GPAW;
	t->sept_root = td->tdr->tdcx[TDCX_SEPT_ROOT];
	atomic_store_explicit(&t->td_ctls, !!(p->attributes & TD_ATTR_SEPT_VE_DISABLE),
			      memory_order_relaxed);
	atomic_store_explicit(&t->hp_lock_timeout,
			      HP_LOCK_TIMEOUT_DEFAULT_US * c->lp->env->tsc_per_us,
			      memory_order_relaxed);
	atomic_store_explicit(&t->epoch.f.epoch, 1, memory_order_relaxed);
	t->config_flags = p->config_flags;
	memcpy(t->ids, p->ids, sizeof(t->ids));
	mrtd_begin(c, t);
	t->op_state = OP_INITIALIZED;
}

/*
 * tdh_mng_init - set the TD's parameters
 *
 * Side:   host
 * Locks:  TDR exclusive
 * Checks: TDR, TD state, TD_PARAMS address, TD_PARAMS contents
 * Commit: TDCS, OP_STATE := INITIALIZED
 * Status: SUCCESS, BUSY, OPERAND_INVALID (RDX or a TD_PARAMS field), TDCS_NOT_ALLOCATED,
 *         OP_STATE_INCORRECT and the other TD state codes
 */
u64 tdh_mng_init(struct call *c)
{
	u64 params_pa = c->args->rdx;
	struct td_ref td = { 0 };
	struct td_params params;
	const void *from;
	u64 st;

	st = tdr_lock(c, c->args->rcx, LOCK_EX, &td);
	c->args->rcx = 0;
	if (st)
		return st;
	st = td_state_check(c, &td, false);
	if (st)
		goto out;
	from = shared_operand(c->m, params_pa, sizeof(params));
	if (!from) {
		st = with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RDX);
		goto out;
	}
	memcpy(&params, from, sizeof(params));
	st = params_check(&params, &c->args->rcx);
	if (st)
		goto out;
	tdcs_init(c, &td, &params);
	call_committed(c, .kind = COMMIT_INIT, .tdr = td.lock.page);
out:
	tdr_unlock(c, &td);
	return st;
}
