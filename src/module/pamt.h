/* SPDX-License-Identifier: MIT */
/*
 * PAMT promote and demote: 512 pages become one of the next size, and back (spec: "PAMT promote",
 * "demote"); and the pairs of pages that hold the PAMT entries of 4 KB pages with dynamic PAMT.
 * Layer: module, private.
 *
 * Promote and demote hold the large page's entry exclusive, as one step of the leaf's plan, and release
 * it before they return. The 512 small entries are written without their locks, as in the module. Status:
 * 0, or a refusal with nothing changed; a page that is not what the S-EPT says of it halts.
 *
 * The 4 KB entries are always in their array here, whichever pages hold them: those of a range without
 * a pair are out of reach, and those of a new one are zeroed, locks and all.
 */
#ifndef SL_MODULE_PAMT_H
#define SL_MODULE_PAMT_H

#include "module/call.h"

/* ---- dynamic PAMT ---------------------------------------------------------------------------- */

/* RCX of TDH.PHYMEM.PAMT.ADD and REMOVE. OPERAND_INVALID for RAX if dynamic PAMT is off, or for RCX. */
u64 pamt_range_operand(const struct call *c, struct hpa *range) SL_WARN_UNUSED;
/* Its 2 MB entry exclusive, or the 1 GB entry at which the walk ended. The range has to be private memory. */
u64 pamt_range_lock(struct call *c, struct hpa range, struct page_lock *out) SL_WARN_UNUSED;

/* Two pages that come as registers, on their way into the PAMT. */
struct pamt_pair {
	u64 reg[2];
	struct page_lock lock[2]; /* entry: NULL where none was taken */
};

static inline void pair_init(struct pamt_pair *pair, u64 first, u64 second)
{
	*pair = (struct pamt_pair){ .reg = { first, second } };
}

/* Format and coverage of both. */
u64 pair_check(const struct call *c, const struct pamt_pair *pair,
	       const u32 operand[2]) SL_WARN_UNUSED;
/*
 * Under the 2 MB entry of @range, exclusive: both pages are free, and are PAMT pages from now on. They stay
 * locked until pair_unlock(), which is for failures as well. @backs_itself: a page of the range may back the
 * range; it has no entry yet that could be locked.
 */
u64 pair_take(struct call *c, struct pamt_pair *pair, struct hpa range,
	      bool backs_itself) SL_WARN_UNUSED;
void pair_unlock(struct call *c, struct pamt_pair *pair);
/* @range has the pair: its 4 KB entries are there, all zero. */
void pair_install(struct call *c, const struct pamt_pair *pair, struct pamt_entry *range_entry,
		  struct hpa range);
/* Takes the pair off the range; its pages. */
void pair_remove(struct call *c, struct pamt_entry *range_entry, struct hpa range, u64 page[2]);

/*
 * A 4 KB page is in use from now on, or no longer; the page's entry is held, its 2 MB entry maybe not.
 * Down returns the hint that leaves give the VMM with an address: nothing of the 2 MB is in use. Without dynamic
 * PAMT nothing is counted.
 */
void pamt_count_up(struct call *c, const struct page_lock *page);
u64 pamt_count_down(struct call *c, const struct page_lock *page);
#define PAMT_HINT_EMPTY BIT_ULL(62)

/* ---- pages of 2 MB and 1 GB ------------------------------------------------------------------ */

/* Is nothing of the 2 MB around @page in use? Read without the locks of the 4 KB pages. */
bool pamt_range_is_free(struct sl_machine *m, struct hpa page);

/*
 * The 512 pages from @page on become one at @level (1 or 2). BEPOCH of the large entry stays, or is 0 with
 * dynamic PAMT, where R12 and R13 become the pair.
 */
u64 pamt_promote(struct call *c, struct hpa page, u32 level) SL_WARN_UNUSED;
/* Writes the entries of the 512 pages into which the one at @level falls: @owner's, their BEPOCH 0. */
void pamt_children_init(struct sl_machine *m, struct hpa page, u32 level, struct hpa owner);
/* The page at @level (1 or 2) becomes 512 pages, their BEPOCH 0. @pair: see TDH.MEM.PAGE.DEMOTE. */
u64 pamt_demote(struct call *c, struct hpa page, u32 level, struct pamt_pair *pair) SL_WARN_UNUSED;

#endif
