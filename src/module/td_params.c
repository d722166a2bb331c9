// SPDX-License-Identifier: MIT
/* See td_params.h. Layer: module. */
#include "module/td_params.h"

#include <string.h>

#include "module/measure.h"
#include "module/sys_info.h"

#define CONFIG_GPAW    BIT_ULL(0)
#define CONFIG_ALLOWED (CONFIG_GPAW | TD_CONFIG_FLEXIBLE_VE | BIT_ULL(2))
#define EPTP_MT_WB     6ull
#define TSC_MIN        4   /* 100 MHz */
#define TSC_MAX        400 /* 10 GHz */

static bool all_zero(const u64 *word, size_t n)
{
	u64 any = 0;

	/* All of them, whatever the first ones are: quicker where none is to be found. */
	for (size_t i = 0; i < n; i++)
		any |= word[i];
	return !any;
}

u64 td_params_check_zeros(const struct td_params *p, u64 *rcx)
{
	if (p->reserved0 || p->reserved1 || p->reserved2 ||
	    !all_zero(p->reserved3, ARRAY_SIZE(p->reserved3)) ||
	    !all_zero(p->reserved4, ARRAY_SIZE(p->reserved4)))
		return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RDX);
	/* No virtual CPUID leaf is configurable here: each 16-byte value must be zero. */
	if (sl_likely(all_zero(p->cpuid[0], sizeof(p->cpuid) / sizeof(u64))))
		return 0;
	*rcx = 0;
	while (all_zero(p->cpuid[*rcx], 2))
		(*rcx)++;
	return with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_CPUID_CONFIG);
}

u64 td_params_check(const struct td_params *p, u64 *rcx)
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
	return td_params_check_zeros(p, rcx);
}

void td_params_apply(struct call *c, const struct tdr *tdr, struct tdcs *tdcs,
		     const struct td_params *p)
{
	tdcs->attributes = p->attributes;
	tdcs->xfam = p->xfam;
	tdcs->max_vcpus = p->max_vcpus;
	tdcs->page_walk = (u8)(p->eptp_controls >> 3 & 7);
	tdcs->gpaw = p->config_flags & CONFIG_GPAW;
	tdcs->sept_root = tdr->tdcx[TDCX_SEPT_ROOT];
	atomic_store_explicit(&tdcs->td_ctls, !!(p->attributes & TD_ATTR_SEPT_VE_DISABLE),
			      memory_order_relaxed);
	atomic_store_explicit(&tdcs->hp_lock_timeout,
			      HP_LOCK_TIMEOUT_DEFAULT_US * c->lp->env->tsc_per_us,
			      memory_order_relaxed);
	atomic_store_explicit(&tdcs->epoch.f.epoch, 1, memory_order_relaxed);
	tdcs->config_flags = p->config_flags;
	memcpy(tdcs->ids, p->ids, sizeof(tdcs->ids));
	mrtd_begin(c, tdcs);
	tdcs->op_state = OP_INITIALIZED;
}
