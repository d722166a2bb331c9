/* SPDX-License-Identifier: MIT */
/* What TDH.MNG.INIT makes a TD of. Layer: module, private. */
#ifndef SL_MODULE_TD_PARAMS_H
#define SL_MODULE_TD_PARAMS_H

#include "module/call.h"

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
	u16 reserved1;
	u32 reserved2;
	u64 reserved3[4];
	u8 ids[3][SHA384_SIZE];
	u64 arch_capabilities;
	u64 reserved4[3];
	u64 cpuid[48][2];
};
_Static_assert(sizeof(struct td_params) == 1024, "TD_PARAMS is 1024 bytes");

/* Every field of @p, a copy that nobody else can change. Status; *rcx: the CPUID leaf that is wrong. */
u64 td_params_check(const struct td_params *p, u64 *rcx) SL_WARN_UNUSED;
/* Of that the larger part: everything that has to be zero. */
u64 td_params_check_zeros(const struct td_params *p, u64 *rcx) SL_WARN_UNUSED;
/* The TD as @p wants it, under TDR exclusive; @tdcs is that of @tdr. */
void td_params_apply(struct call *c, const struct tdr *tdr, struct tdcs *tdcs,
		     const struct td_params *p);

#endif
