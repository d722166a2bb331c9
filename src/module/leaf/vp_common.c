// SPDX-License-Identifier: MIT
/* What the leaves that read and write a vCPU's fields share. Layer: module. */
#include "module/leaf/vp_common.h"

#include "module/vcpu.h"

u64 vp_begin(struct call *c, u64 tdvpr, bool disabled, struct vp_call *v)
{
	struct tdvps *vp;
	bool fresh;
	u64 st;

	st = tdvpr_lock(c, tdvpr, &v->tdvpr, &v->td);
	if (st)
		return st;
	vp = mem_frame(c->m, v->tdvpr.page);
	st = vcpu_associate(c, vp, v->td.tdcs, disabled, &fresh);
	if (st) {
		tdvpr_unlock(c, &v->tdvpr, &v->td);
		return st;
	}
	v->md = (struct md){ .context = MD_VP,
			     .who = md_host(v->td.tdcs),
			     .c = c,
			     .tdr = v->td.tdr,
			     .tdcs = v->td.tdcs,
			     .vp = vp };
	return 0;
}

void vp_end(struct call *c, struct vp_call *v)
{
	tdvpr_unlock(c, &v->tdvpr, &v->td);
}
