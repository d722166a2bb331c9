// SPDX-License-Identifier: MIT
/* Words of a machine, and their names. Compiled with the hooks. Layer: engine. */
#include "engine/explore/xmachine.h"

#include <stdio.h>

#include "engine/explore/xp.h"
#include "module/sept.h"

/* The TD whose TDR is @page; NULL: there is none, or not enough of one. */
static struct tdcs *td_at(struct sl_machine *m, struct hpa page)
{
	struct tdr *tdr;

	if (pamt_type(mem_pamt(m, page, 0)) != PAMT_TDR)
		return NULL;
	tdr = mem_frame(m, page);
	return tdr->num_tdcx < TDCX_MIN ? NULL : tdr_tdcs(m, tdr);
}

static struct hpa page_at(u64 index)
{
	return (struct hpa){ SL_PRIVATE_BASE + (index << SL_PAGE_SHIFT) };
}

/* ---- words ----------------------------------------------------------------------------------- */

static void td_words(struct sl_machine *m, struct hpa page,
		     void (*add)(void *ctx, const void *addr, u8 kind, u8 size), void *ctx)
{
	const struct tdcs *t = td_at(m, page);

	if (pamt_type(mem_pamt(m, page, 0)) == PAMT_TDR)
		add(ctx, &((struct tdr *)mem_frame(m, page))->chldcnt, XP_WORD_COUNTER, 8);
	if (!t)
		return;
	add(ctx, &t->op_state_lock, XP_WORD_SHAREX_HP, 2);
	add(ctx, &t->rtmr_lock, XP_WORD_SHAREX_HP, 2);
	add(ctx, &t->tree_lock, m->tree_hp ? XP_WORD_SHAREX_HP : XP_WORD_SHAREX, 2);
	add(ctx, &t->epoch_lock, XP_WORD_SHAREX, 2);
	add(ctx, &t->num_assoc_vcpus, XP_WORD_COUNTER, 4);
	add(ctx, &t->epoch.f.refcount[0], XP_WORD_COUNTER, 2);
	add(ctx, &t->epoch.f.refcount[1], XP_WORD_COUNTER, 2);
}

void xmachine_words(struct sl_machine *m,
		    void (*add)(void *ctx, const void *addr, u8 kind, u8 size), void *ctx)
{
	const struct sl_mem *mem = &m->mem;

	for (u32 level = 0; level < 3; level++) {
		u64 n = level == 0 ? mem->pages : mem->blocks * SL_LEVEL_PAGES(2 - level);

		for (u64 i = 0; i < n; i++)
			add(ctx, &mem->pamt[level][i].lock, XP_WORD_SHAREX_HP, 2);
	}
	add(ctx, &m->sys_lock, XP_WORD_SHAREX, 2);
	add(ctx, &m->kot_lock, XP_WORD_SHAREX, 2);
	for (u64 i = 0; i < mem->pages; i++)
		td_words(m, page_at(i), add, ctx);
}

/* ---- names ----------------------------------------------------------------------------------- */

const char *xmachine_tdcs_field(const struct tdcs *t, const void *addr, bool tree_hp,
				enum xworld_word *kind)
{
	*kind = XWORD_SHAREX_HP;
	if (is_in(addr, &t->op_state_lock, sizeof(t->op_state_lock)))
		return "OP_STATE lock";
	if (is_in(addr, &t->rtmr_lock, sizeof(t->rtmr_lock)))
		return "RTMR lock";
	if (is_in(addr, &t->tree_lock, sizeof(t->tree_lock))) {
		*kind = tree_hp ? XWORD_SHAREX_HP : XWORD_SHAREX;
		return "S-EPT tree lock";
	}
	*kind = XWORD_SHAREX;
	if (is_in(addr, &t->epoch_lock, sizeof(t->epoch_lock)))
		return "epoch lock";
	*kind = XWORD_EPOCH;
	if (is_in(addr, &t->epoch.f.epoch, 8))
		return "TD_EPOCH";
	*kind = XWORD_REFCOUNT;
	if (is_in(addr, &t->epoch.f.refcount[0], 2))
		return "REFCOUNT[0]";
	if (is_in(addr, &t->epoch.f.refcount[1], 2))
		return "REFCOUNT[1]";
	*kind = XWORD_NUMBER;
	return "TDCS";
}

bool xmachine_describe_lp(const struct sl_machine *m, const void *addr, char *text, size_t size)
{
	for (u32 i = 0; i < m->cfg.lps; i++) {
		const struct sl_lp *lp = &m->lp[i];

		if (!is_in(addr, lp, sizeof(*lp)))
			continue;
		snprintf(text, size, "LP %u %s", i,
			 is_in(addr, &lp->irq, 4) ? "interrupt" : "state");
		return true;
	}
	return false;
}

/* The level of the entries in the S-EPT page @table and the first GPA of the page; false: not there. */
static bool find_table(struct sl_machine *m, struct hpa at, u32 at_level, u64 at_gpa,
		       struct hpa table, u32 *level, u64 *gpa)
{
	const _Atomic u64 *entry = mem_frame(m, at);

	*level = at_level;
	*gpa = at_gpa;
	if (at.v == table.v)
		return true;
	for (u32 i = 0; at_level && i < SL_ENTRIES; i++) {
		u64 e = atomic_load_explicit(&entry[i], memory_order_relaxed);

		if ((e & SEPT_RWX) && !sept_is_leaf(e) && mem_is_private(m, sept_hpa(e)) &&
		    find_table(m, sept_hpa(e), at_level - 1,
			       at_gpa + ((u64)i << SL_LEVEL_SHIFT(at_level)), table, level, gpa))
			return true;
	}
	return false;
}

static bool describe_entry(struct sl_machine *m, struct hpa page, u32 index, char *text,
			   size_t size)
{
	for (u64 i = 0; i < m->mem.pages; i++) {
		const struct tdcs *t = td_at(m, page_at(i));
		u32 level;
		u64 gpa;

		if (!t || !t->sept_root.v ||
		    !find_table(m, t->sept_root, sept_top_level(t), 0, page, &level, &gpa))
			continue;
		gpa += (u64)index << SL_LEVEL_SHIFT(level);
		snprintf(text, size, "S-EPT entry 0x%llx level %u", (unsigned long long)gpa, level);
		return true;
	}
	return false;
}

static void describe_page(struct sl_machine *m, struct hpa page, const void *addr, char *text,
			  size_t size)
{
	const u8 *frame = mem_frame(m, page);
	u32 offset = (u32)((const u8 *)addr - frame);
	const char *what = "page";
	enum xworld_word kind;

	if (describe_entry(m, page, offset / 8, text, size))
		return;
	for (u64 i = 0; i < m->mem.pages; i++) {
		const struct tdcs *t = td_at(m, page_at(i));

		if (t && (const u8 *)t == frame) {
			snprintf(text, size, "%s", xmachine_tdcs_field(t, addr, m->tree_hp, &kind));
			return;
		}
	}
	switch (pamt_type(mem_pamt(m, page, 0))) {
	case PAMT_TDR:
		what = "TDR";
		break;
	case PAMT_TDCX:
		what = "TDCX page";
		break;
	case PAMT_TDVPR:
		what = "TDVPR";
		break;
	case PAMT_EPT:
		what = "S-EPT page";
		break;
	default:
		break;
	}
	snprintf(text, size, "%s 0x%llx+%u", what, (unsigned long long)page.v, offset);
}

void xmachine_describe(struct sl_machine *m, const void *addr, char *text, size_t size)
{
	static const char *const unit[] = { "", " 2 MB", " 1 GB" };
	const struct sl_mem *mem = &m->mem;

	text[0] = '\0';
	for (u32 level = 0; level < 3; level++) {
		u64 n = level == 0 ? mem->pages : mem->blocks * SL_LEVEL_PAGES(2 - level);
		u64 i;

		if (!is_in(addr, mem->pamt[level], n * sizeof(struct pamt_entry)))
			continue;
		i = (u64)((const u8 *)addr - (const u8 *)mem->pamt[level]) /
		    sizeof(struct pamt_entry);
		snprintf(text, size, "PAMT%s 0x%llx", unit[level],
			 (unsigned long long)(SL_PRIVATE_BASE + (i << SL_LEVEL_SHIFT(level))));
		return;
	}
	if (xmachine_describe_lp(m, addr, text, size))
		return;
	if (is_in(addr, mem->frames, mem->pages << SL_PAGE_SHIFT))
		describe_page(m, page_at((u64)((const u8 *)addr - mem->frames) >> SL_PAGE_SHIFT),
			      addr, text, size);
	else if (is_in(addr, mem->shared, SL_SHARED_PAGES * SL_PAGE_SIZE))
		snprintf(text, size, "shared memory 0x%zx",
			 (size_t)((const u8 *)addr - mem->shared));
	else if (is_in(addr, &m->sys_lock, sizeof(m->sys_lock)))
		snprintf(text, size, "system lock");
	else if (is_in(addr, &m->halted, sizeof(m->halted)) ||
		 is_in(addr, &m->sys_state, sizeof(m->sys_state)))
		snprintf(text, size, "module state");
	else if (is_in(addr, &m->kot_lock, sizeof(m->kot_lock)))
		snprintf(text, size, "KOT lock");
	else if (is_in(addr, m, sizeof(*m)))
		snprintf(text, size, "machine+%zu", (size_t)((const u8 *)addr - (const u8 *)m));
}
