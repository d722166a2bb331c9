// SPDX-License-Identifier: MIT
#include "module/leaf/leaf.h"
#include "module/metadata.h"

/*
 * tdh_sys_rd - read a field of the module
 *
 * Side:   host
 * Locks:  none
 * Checks: LP initialised, field id
 * Commit: none
 * Status: SUCCESS, METADATA_FIRST_FIELD_ID_IN_CONTEXT for the null id, SYS_LP_INIT_NOT_DONE,
 *         METADATA_FIELD_ID_INCORRECT. RDX: id of the next field; R8: the value
 */
u64 tdh_sys_rd(struct call *c)
{
	const struct md md = { .context = MD_SYS, .who = MD_HOST, .c = c };
	u64 id = c->args->rdx;

	c->args->rdx = MD_NULL_ID;
	c->args->r8 = 0;
	if (!c->lp->initialized)
		return TDX_SYS_LP_INIT_NOT_DONE;
	return md_read(&md, id, &c->args->r8, &c->args->rdx);
}
