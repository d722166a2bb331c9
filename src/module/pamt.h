/* SPDX-License-Identifier: MIT */
/*
 * PAMT promote and demote: 512 pages become one of the next size, and back (spec: "PAMT promote",
 * "demote"). Layer: module, private.
 *
 * Both hold the large page's entry exclusive, as one step of the leaf's plan, and release it before
 * they return. The 512 small entries are written without their locks, as in the module. Status: 0,
 * or BUSY|RCX with nothing changed; a page that is not what the S-EPT says of it halts.
 */
#ifndef SL_MODULE_PAMT_H
#define SL_MODULE_PAMT_H

#include "module/call.h"

/* The 512 pages from @page on become one at @level (1 or 2). BEPOCH of the large entry stays. */
u64 pamt_promote(struct call *c, struct hpa page, u32 level) SL_WARN_UNUSED;
/* The page at @level (1 or 2) becomes 512 pages, their BEPOCH 0. */
u64 pamt_demote(struct call *c, struct hpa page, u32 level) SL_WARN_UNUSED;

#endif
