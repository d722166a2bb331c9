/* SPDX-License-Identifier: MIT */
/*
 * What an oracle knows of each page, and how it gets to know. Layer: oracle, private.
 *
 * A page's record is one word, 0 for a page that nobody has. There is one for each size, like the PAMT
 * entries. It is written under the page's PAMT entry exclusive, or by TDG.MEM.PAGE.ACCEPT, DEMOTE and
 * PROMOTE under the lock of the S-EPT entry that maps it, which keeps the former out.
 */
#ifndef SL_ORACLE_PAGES_H
#define SL_ORACLE_PAGES_H

#include "module/machine.h"
#include "oracle/oracle.h"

#define REC_OWNED       BIT_ULL(0)
#define REC_MAPPED      BIT_ULL(1)
#define REC_ACCEPTED    BIT_ULL(2)
#define REC_GFN_SHIFT   3 /* 41:3, of a MAPPED one */
#define REC_GFN_MASK    GENMASK_ULL(41, 3)
#define REC_OWNER_SHIFT 42 /* 63:42, the TDR: see rec_owner() */
#define REC_OWNER_BITS  22
/* Accepted without being mapped: of a page that holds PAMT entries; the 2 MB in the place of the GFN. */
#define REC_PAMT (REC_OWNED | REC_ACCEPTED)

/* The measurement of the TD that has a key id, as it should be. TDR exclusive. */
struct td_measurement {
	struct sha384 digest;
	bool begun;
};

struct oracle {
	struct sl_module_hooks hooks;
	struct sl_machine *m;
	_Atomic u64 *rec[3]; /* by level */
	struct td_measurement td[SL_HKIDS];
};

/*
 * The owner's part of a record. A machine of more than 16 GB has pages that share one: then an oracle
 * takes two TDs for one that have their TDRs 16 GB apart, and at rest the PAMT tells them apart.
 */
static inline u64 rec_owner(struct hpa tdr)
{
	return (tdr.v - SL_PRIVATE_BASE) >> SL_PAGE_SHIFT << REC_OWNER_SHIFT;
}

static inline struct hpa rec_tdr(u64 rec)
{
	return (struct hpa){ SL_PRIVATE_BASE + (rec >> REC_OWNER_SHIFT << SL_PAGE_SHIFT) };
}

static inline u64 rec_gfn(struct gpa gpa)
{
	return gpa.v >> SL_PAGE_SHIFT << REC_GFN_SHIFT & REC_GFN_MASK;
}

static inline struct gpa rec_gpa(u64 rec)
{
	return (struct gpa){ (rec & REC_GFN_MASK) >> REC_GFN_SHIFT << SL_PAGE_SHIFT };
}

static inline u64 rec_pamt(struct hpa range)
{
	return REC_PAMT | rec_gfn((struct gpa){ range.v });
}

static inline bool rec_is_pamt(u64 rec)
{
	return (rec & (REC_PAMT | REC_MAPPED)) == REC_PAMT;
}

static inline bool rec_belongs(u64 rec, struct hpa tdr)
{
	return (rec & REC_OWNED) && !rec_is_pamt(rec) &&
	       rec >> REC_OWNER_SHIFT << REC_OWNER_SHIFT == rec_owner(tdr);
}

/* Same owner, and mapped there. */
static inline bool rec_is(u64 rec, struct hpa tdr, struct gpa gpa)
{
	return (rec & ~REC_ACCEPTED) == (REC_OWNED | REC_MAPPED | rec_owner(tdr) | rec_gfn(gpa));
}

static inline _Atomic u64 *rec_at(const struct oracle *o, struct hpa page, u32 level)
{
	return &o->rec[level][(page.v - SL_PRIVATE_BASE) >> SL_LEVEL_SHIFT(level)];
}

static inline u64 rec_read(const struct oracle *o, struct hpa page, u32 level)
{
	return atomic_load_explicit(rec_at(o, page, level), memory_order_relaxed);
}

/* Records of pages of this size. */
static inline u64 rec_count(const struct sl_mem *mem, u32 level)
{
	return level == 0 ? mem->pages : mem->blocks * SL_LEVEL_PAGES(2 - level);
}

#endif
