// SPDX-License-Identifier: MIT
/* Calls in words. Layer: engine. */
#include "engine/explore/call_text.h"

#include <seamlab/tdx_abi.h>
#include <stdio.h>

void call_text(const struct xp_event *e, char *name, size_t name_size, char *what, size_t what_size)
{
	bool seam = e->note == SL_NOTE_SEAMCALL;
	u32 leaf = (u32)(e->before & 0xFFFF);
	const char *known = seam ? tdx_seamcall_name(leaf) : tdx_tdcall_name(leaf);
	const char *status = tdx_status_name(e->after);
	const char *operand = tdx_operand_name((u32)e->after);

	snprintf(name, name_size, "%s", known ? known : "unknown leaf");
	if (seam && leaf == SEAMCALL_tdh_vp_enter && !(e->after >> 32))
		snprintf(what, what_size, "TD exit %u", (u32)(e->after & 0xFFFF));
	else if ((u32)e->after && operand)
		snprintf(what, what_size, "%s(%s)", status ? status : "?", operand);
	else
		snprintf(what, what_size, "%s", status ? status : "?");
}
