// SPDX-License-Identifier: MIT
/* What the leaves that read and write a vCPU's fields share. Layer: module. */
#include "module/leaf/vp_common.h"

#include "module/vcpu.h"

u64 vp_begin(struct call *c, u64 tdvpr, bool disabled, struct vp_call *v)
{
	struct tdvps *vp;
	bool fresh;
	u64 st;

	st = page_lock_explicit(c, LOCK_TDVPR, tdvpr, LOCK_SH, 0, PAMT_TDVPR, &v->tdvpr);
	if (st)
		return st;
	st = tdr_lock_implicit(c, &v->tdvpr, &v->td);
	if (st)
		goto out_tdvpr;
	st = td_state_check(c, &v->td, true);
	if (st)
		goto out;
	vp = mem_frame(c->m, v->tdvpr.page);
	st = vcpu_associate(c, vp, v->td.tdcs, disabled, &fresh);
	if (st)
		goto out;
	v->md = (struct md){ .context = MD_VP,
			     .who = md_host(v->td.tdcs),
			     .c = c,
			     .tdr = v->td.tdr,
			     .tdcs = v->td.tdcs,
			     .vp = vp };
	return 0;
out:
	tdr_unlock(c, &v->td);
out_tdvpr:
	page_unlock(c, &v->tdvpr);
	return st;
}

void vp_end(struct call *c, struct vp_call *v)
{
	tdr_unlock(c, &v->td);
	page_unlock(c, &v->tdvpr);
}
