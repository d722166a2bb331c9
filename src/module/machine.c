// SPDX-License-Identifier: MIT
/* Building a machine, LP accessors, interrupts, the module halt. Layer: module. */
#include "module/machine.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/arena.h"
#include "module/sys.h"

void sl_machine_config_init(struct sl_machine_config *cfg)
{
	*cfg = (struct sl_machine_config){
		.release = SL_RELEASE_1_5_01,
		.flavour = SL_PUBLISHED,
		.lps = 1,
		.packages = 1,
		.zero_step_threshold = ZERO_STEP_THRESHOLD,
		.hp_timeout = true,
		.measurement = true,
	};
}

static u64 blocks_of(u64 pages)
{
	return sl_align_up(pages, SL_LEVEL_PAGES(2)) / SL_LEVEL_PAGES(2);
}

static u64 bitmap_size(u64 bits)
{
	return sl_align_up(bits, 64) / 8;
}

size_t sl_machine_arena_size(const struct sl_machine_config *cfg)
{
	u64 blocks = blocks_of(cfg->private_pages);
	u64 bitmap = cfg->dynamic_pamt ? bitmap_size(cfg->private_pages) + SL_CACHELINE : 0;
	u64 entries = cfg->private_pages + blocks * (SL_ENTRIES + 1);

	return sizeof(struct sl_machine) + cfg->lps * sizeof(struct sl_lp) +
	       entries * sizeof(struct pamt_entry) + bitmap +
	       (cfg->private_pages + SL_SHARED_PAGES) * SL_PAGE_SIZE + 16 * SL_PAGE_SIZE;
}

static void mem_init(struct sl_mem *mem, struct sl_arena *a, u64 pages)
{
	mem->pages = pages;
	mem->blocks = blocks_of(pages);
	for (u32 level = 0; level < 3; level++) {
		u64 n = level == 0 ? pages : mem->blocks * SL_LEVEL_PAGES(2 - level);

		mem->pamt[level] = sl_arena_alloc(a, n * sizeof(struct pamt_entry), SL_PAGE_SIZE);
	}
	pamt_set_type(&mem->rsvd, PAMT_RSVD);
	mem->shared = sl_arena_alloc(a, SL_SHARED_PAGES * SL_PAGE_SIZE, SL_PAGE_SIZE);
	mem->frames = sl_arena_alloc(a, pages * SL_PAGE_SIZE, SL_PAGE_SIZE);
}

/* Every user of the tree takes the same lock, so any of their plans will do. */
static bool tree_is_hp(enum sl_release r)
{
	const struct lock_step *s = lock_plan(r, false, SEAMCALL_tdh_mem_sept_add, 0);

	while (s->object != LOCK_TREE)
		s++;
	return lock_kind(r, s) == LOCK_KIND_SHAREX_HP;
}

struct sl_machine *sl_machine_init(const struct sl_machine_config *cfg, void *arena, size_t size)
{
	struct sl_arena a = { .base = arena, .size = size };
	struct sl_machine *m;

	SL_BUG_ON((u32)cfg->release >= SL_RELEASES);
	SL_BUG_ON(cfg->lps < 1 || cfg->lps > SL_LPS_MAX || !cfg->private_pages);
	SL_BUG_ON(cfg->dynamic_pamt && !sl_release_has_dynamic_pamt(cfg->release));
	SL_BUG_ON(cfg->packages < 1 || cfg->packages > SL_PACKAGES_MAX || cfg->packages > cfg->lps);
	m = sl_arena_alloc(&a, sizeof(*m) + cfg->lps * sizeof(m->lp[0]), SL_CACHELINE);
	m->cfg = *cfg;
	m->changes = release_changes(cfg->release);
	m->hardened = cfg->flavour == SL_HARDENED;
	m->tree_hp = tree_is_hp(cfg->release);
	leaf_rows_init(m);
	for (u32 i = 0; i < cfg->lps; i++) {
		m->lp[i].machine = m;
		m->lp[i].index = i;
		m->lp[i].package = i % cfg->packages;
	}
	mem_init(&m->mem, &a, cfg->private_pages);
	if (cfg->dynamic_pamt)
		m->mem.is_pamt = sl_arena_alloc(&a, bitmap_size(cfg->private_pages), SL_CACHELINE);
	return m;
}

void *sl_machine_shared(struct sl_machine *m, u64 pa)
{
	return pa < SL_SHARED_PAGES * SL_PAGE_SIZE ? m->mem.shared + pa : NULL;
}

bool sl_machine_halted(const struct sl_machine *m)
{
	return atomic_load_explicit(&m->halted, memory_order_relaxed);
}

u64 module_halt(struct sl_lp *lp, const char *where, const char *fmt, ...)
{
	char text[192];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	atomic_store_explicit(&lp->machine->halted, true, memory_order_relaxed);
	env_violate(lp->env, SL_VIOLATION_MODULE_HALT, where, "%s", text);
	return TDX_UNINITIALIZE_ERROR;
}

struct sl_lp *sl_machine_lp(struct sl_machine *m, u32 index)
{
	SL_BUG_ON(index >= m->cfg.lps);
	return &m->lp[index];
}

void sl_lp_set_env(struct sl_lp *lp, struct sl_env *env)
{
	lp->env = env;
}

struct sl_env *sl_lp_env(const struct sl_lp *lp)
{
	return lp->env;
}

u32 sl_lp_index(const struct sl_lp *lp)
{
	return lp->index;
}

void sl_lp_set_platform(struct sl_lp *lp, u32 flags)
{
	lp->platform = flags;
}

u64 sl_lp_user_msr(const struct sl_lp *lp)
{
	return lp->user_msr;
}

void sl_lp_set_user_msr(struct sl_lp *lp, u64 value)
{
	lp->user_msr = value;
}

void sl_lp_interrupt_raise(struct sl_lp *lp)
{
	/* Pairs with lp_interrupt_pending(): what was written before is seen after the exit. */
	atomic_store_explicit(&lp->irq, 1, memory_order_seq_cst);
}

bool sl_lp_interrupt_take(struct sl_lp *lp)
{
	/*
	 * Acquire: pairs with sl_lp_interrupt_raise(). Release: pairs with sl_lp_interrupt_wait(), which
	 * sees what this LP did before. No look in front of it: that would be one more thing to come before
	 * or behind a raise, to the same end.
	 */
	return atomic_exchange_explicit(&lp->irq, 0, memory_order_acq_rel) != 0;
}

void sl_lp_interrupt_wait(struct sl_lp *lp, struct sl_env *env)
{
	/* Acquire: pairs with sl_lp_interrupt_take(). */
	while (atomic_load_explicit(&lp->irq, memory_order_acquire))
		env_wait_while(env, &lp->irq, 1);
}
