/* SPDX-License-Identifier: MIT */
/*
 * A host policy as a shared object: a zap tries twice on the spot and kicks all vCPUs only at the third BUSY;
 * a fault is tried four times in the host before the guest is resumed. Everything else is KVM's of Linux 6.19.
 */
#include <string.h>

#include <seamlab/policy.h>

static uint32_t on_busy(const struct sl_policy_context *c)
{
	/* Behind the kick there is exactly one try; nobody asks again. */
	if (!strncmp(c->site_name, "zap-", 4) && strcmp(c->site_name, "zap-wbinvd") != 0)
		return c->attempt < 3 ? SL_ACTION_ENDLESS : SL_ACTION_KICK_ONCE;
	return SL_ACTION_TABLE;
}

static uint32_t on_fault(const struct sl_policy_context *c)
{
	return c->attempt < 4 ? SL_FAULT_LOCAL : SL_FAULT_GUEST;
}

SL_POLICY_EXPORT const struct sl_policy seamlab_policy = {
	SL_POLICY_HEAD,
	.name = "kick-when-third",
	.title = "Two tries on the spot, then kick once",
	.base = "kvm-6.19",
	.on_busy = on_busy,
	.on_fault = on_fault,
};
