/* SPDX-License-Identifier: MIT */
/* The guest side of S-EPT entries, which ACCEPT and ATTR.* share. Layer: module, private. */
#ifndef SL_MODULE_GUEST_ENTRY_H
#define SL_MODULE_GUEST_ENTRY_H

#include "module/call.h"

/* BUSY|RCX or BUSY_HOST_PRIORITY|RCX; on success e->copy and e->state are as read under the lock. */
u64 entry_lock_guest(struct call *c, struct entry_ref *e) SL_WARN_UNUSED;
/* RCX and RDX of ATTR.*: where @e, a leaf, is mapped, and the attributes. */
void attr_info(struct call *c, const struct entry_ref *e);

#endif
