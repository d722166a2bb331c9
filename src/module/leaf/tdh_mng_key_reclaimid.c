// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"

/*
 * tdh_mng_key_reclaimid - does nothing: kept for hosts that still call it
 *
 * Side:   host
 * Locks:  none
 * Checks: none, RCX is not looked at
 * Commit: none
 * Status: SUCCESS
 */
u64 tdh_mng_key_reclaimid(struct call *c)
{
	(void)c;
	return 0;
}
