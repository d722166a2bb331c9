// SPDX-License-Identifier: MIT
/* The doors into the instrumented world. Compiled with the hooks. Layer: engine. */
#include "engine/explore/xworld.h"

#include <errno.h>
#include <stdio.h>

#include "engine/explore/xmachine.h"
#include "engine/explore/xp.h"
#include "engine/world.h"
#include "module/machine.h"
#include "module/sept.h"

/* Misuse of a lock word: a failed check of the module. */
extern struct sl_env *xworld_current_env(void);

void hp_misuse(const char *what)
{
	env_violate(xworld_current_env(), SL_VIOLATION_MODULE_HALT, "lock word", "%s", what);
}

int xworld_arena_size(const struct scenario *s, size_t *size, struct sl_err *err)
{
	return world_arena_size(s, size, err);
}

u32 xworld_lanes(const struct scenario *s)
{
	return world_lane_count(s);
}

struct world *xworld_build(const struct scenario *s, void *arena, size_t size, struct sl_env *env,
			   struct sl_err *err)
{
	u32 lanes = xworld_lanes(s);
	struct world *w = world_init(s, arena, size, &env[lanes]);

	SL_BUG_ON(w->lane_count != lanes);
	if (w->caller)
		w->caller->stepwise = true;
	for (u32 i = 0; i < lanes; i++)
		world_set_env(w, i, &env[i]);
	return world_start(w, &env[lanes], err) ? NULL : w;
}

void xworld_lane_name(const struct world *w, u32 lane, char *name, size_t size)
{
	snprintf(name, size, "%s", lane < w->lane_count ? w->lane[lane].name : "end");
}

bool xworld_lane_is_finite(const struct world *w, u32 lane)
{
	return world_lane_is_finite(w, lane);
}

static bool same_program(const struct scn_caller *a, const struct scn_caller *b)
{
	if (a->count != b->count)
		return false;
	for (u32 i = 0; i < a->count; i++) {
		const struct scn_caller_op *x = &a->ops[i], *y = &b->ops[i];

		if (x->code != y->code || x->guest != y->guest || x->retry != y->retry ||
		    x->times != y->times || x->match != y->match)
			return false;
	}
	return true;
}

u8 xworld_lane_class(const struct world *w, u32 lane)
{
	u32 first = 0, same = 0;

	/*
	 * vCPUs have numbers, memory of their own, and hosts that kick them in order. The oracle of hp-kept
	 * remembers which caller has to wait.
	 */
	if (!w->caller || w->scenario->hp_kept)
		return 0;
	while (!same_program(&w->caller->program[w->lane[first].index],
			     &w->caller->program[w->lane[lane].index]))
		first++;
	for (u32 i = first; i < w->lane_count; i++)
		same += same_program(&w->caller->program[w->lane[first].index],
				     &w->caller->program[w->lane[i].index]);
	return same > 1 ? (u8)(first + 1) : 0;
}

void xworld_ghost(const struct world *w, const void **start, size_t *size)
{
	*start = w->caller ? (const void *)&w->caller->ghost : w->oracle;
	*size = w->caller ? sizeof(w->caller->ghost) : oracle_size(&w->machine->cfg);
}

void xworld_run_lane(struct world *w, u32 lane)
{
	world_run_lane(w, lane);
}

void xworld_finish(struct world *w, struct sl_env *boss)
{
	world_finish(w, boss);
}

/* ---- words that the explorer should know ----------------------------------------------------- */

void xworld_words(const struct world *w, void (*add)(void *ctx, const void *addr, u8 kind, u8 size),
		  void *ctx)
{
	if (w->caller) {
		if (w->caller->kind == SCN_LOCK_SHAREX)
			add(ctx, &w->caller->word, XP_WORD_SHAREX, 2);
		else if (w->caller->kind == SCN_LOCK_SHAREX_HP)
			add(ctx, &w->caller->word, XP_WORD_SHAREX_HP, 2);
		return;
	}
	xmachine_words(w->machine, add, ctx);
	for (u32 i = 0; i < w->vmm->vm_count; i++)
		add(ctx, &w->gate[i].finished, XP_WORD_COUNTER, 4);
}

/* ---- names of things in the arena ------------------------------------------------------------ */

static const char *page_name(const struct world *w, u64 gpa, u32 td, char *text, size_t size)
{
	const struct scn_td *t = &w->scenario->td[td];

	for (u32 i = 0; i < t->range_count; i++) {
		const struct scn_range *r = &t->ranges[i];
		u64 end = r->gpa + (r->count << SL_LEVEL_SHIFT(r->level));

		if (gpa < r->gpa || gpa >= end)
			continue;
		if (r->count == 1)
			snprintf(text, size, "%s", r->name);
		else
			snprintf(text, size, "%s@%llu", r->name,
				 (unsigned long long)((gpa - r->gpa) >> SL_LEVEL_SHIFT(r->level)));
		return text;
	}
	snprintf(text, size, "0x%llx", (unsigned long long)gpa);
	return text;
}

/* What a page of physical memory is to the VMM. */
static bool page_role(const struct world *w, u64 hpa, char *text, size_t size)
{
	for (u32 t = 0; t < w->vmm->vm_count; t++) {
		const struct vm *vm = &w->vmm->vm[t];
		u64 pfn = hpa >> SL_PAGE_SHIFT;
		char page[80];

		if (vm->tdr.v == hpa) {
			snprintf(text, size, "TDR%s", t ? " of TD 1" : "");
			return true;
		}
		for (u32 v = 0; v < vm->vcpu_count; v++)
			if (vm->vcpu[v].tdvpr.v == hpa) {
				snprintf(text, size, "TDVPR of vcpu%u", v);
				return true;
			}
		if (pfn >= vm->base_pfn && pfn < vm->base_pfn + vm->pages) {
			snprintf(text, size, "page %s",
				 page_name(w, (pfn - vm->base_pfn) << SL_PAGE_SHIFT, t, page,
					   sizeof(page)));
			return true;
		}
		for (u32 i = 0; i < VM_TDCX_PAGES; i++)
			if (vm->tdcx[i].v == hpa) {
				snprintf(text, size, i ? "TDCX page" : "TDCS");
				return true;
			}
	}
	return false;
}

static bool find_entry(const struct world *w, const void *addr, u32 td, char *text, size_t size)
{
	const struct vm *vm = &w->vmm->vm[td];
	const struct tdr *tdr;
	const struct tdcs *tdcs;
	char page[80];

	if (!vm->created)
		return false;
	tdr = mem_frame(w->machine, vm->tdr);
	if (tdr->num_tdcx < TDCX_MIN)
		return false;
	tdcs = tdr_tdcs(w->machine, tdr);
	if (!tdcs->sept_root.v)
		return false;
	for (u64 gpa = 0; gpa < vm->pages << SL_PAGE_SHIFT; gpa += SL_PAGE_SIZE)
		for (u32 level = 0; level <= tdcs->page_walk; level++) {
			struct sept_walk walk =
				sept_walk(w->machine, tdcs, (struct gpa){ gpa }, level);

			if (walk.reached && is_in(addr, walk.entry, 8)) {
				snprintf(text, size, "S-EPT entry %s level %u",
					 page_name(w, gpa, td, page, sizeof(page)), level);
				return true;
			}
		}
	return false;
}

static bool find_tdcs(const struct world *w, const void *addr, u32 td, char *text, size_t size,
		      enum xworld_word *kind)
{
	const struct vm *vm = &w->vmm->vm[td];
	const struct tdcs *t;

	if (!vm->created || !vm->tdcx_count)
		return false;
	t = mem_frame(w->machine, vm->tdcx[0]);
	if (!is_in(addr, t, sizeof(*t)))
		return false;
	snprintf(text, size, "%s", xmachine_tdcs_field(t, addr, w->machine->tree_hp, kind));
	return true;
}

static bool find_pamt(const struct world *w, const void *addr, char *text, size_t size,
		      enum xworld_word *kind)
{
	const struct sl_mem *mem = &w->machine->mem;
	static const char *const unit[] = { "", " 2 MB", " 1 GB" };
	const struct pamt_entry *e;
	char role[96];

	for (u32 level = 0; level < 3; level++) {
		u64 n = level == 0 ? mem->pages : mem->blocks * SL_LEVEL_PAGES(2 - level);
		u64 i, hpa;

		if (!is_in(addr, mem->pamt[level], n * sizeof(struct pamt_entry)))
			continue;
		i = (u64)((const u8 *)addr - (const u8 *)mem->pamt[level]) /
		    sizeof(struct pamt_entry);
		hpa = SL_PRIVATE_BASE + (i << SL_LEVEL_SHIFT(level));
		if (level || !page_role(w, hpa, role, sizeof(role)))
			snprintf(role, sizeof(role), "0x%llx", (unsigned long long)hpa);
		e = &mem->pamt[level][i];
		if (is_in(addr, &e->lock, sizeof(e->lock)))
			*kind = XWORD_SHAREX_HP;
		snprintf(text, size, "PAMT%s %s %s", unit[level], role,
			 *kind == XWORD_SHAREX_HP                     ? "lock"
			 : is_in(addr, &e->type, sizeof(e->type))     ? "type"
			 : is_in(addr, &e->bepoch, sizeof(e->bepoch)) ? "BEPOCH"
								      : "owner");
		return true;
	}
	return false;
}

static bool find_slot(const struct world *w, const struct vm *vm, u32 td, const void *addr,
		      char *text, size_t size)
{
	for (u32 i = 0; i < vm->range_count; i++) {
		if (!is_in(addr, &vm->slot[i], sizeof(vm->slot[i])))
			continue;
		snprintf(text, size, "slot %s", w->scenario->td[td].ranges[i].name);
		return true;
	}
	return false;
}

static bool find_cpu(const struct world *w, const void *addr, char *text, size_t size)
{
	for (u32 i = 0; i < w->vmm->cpu_count; i++) {
		const struct cpu *cpu = &w->vmm->cpu[i];

		if (!is_in(addr, cpu, sizeof(*cpu)))
			continue;
		snprintf(text, size, "CPU %u %s", i,
			 is_in(addr, &cpu->srcu, 4)    ? "read section"
			 : is_in(addr, &cpu->state, 4) ? "owner"
						       : "state");
		return true;
	}
	return false;
}

static bool find_host(const struct world *w, const void *addr, char *text, size_t size)
{
	for (u32 t = 0; t < w->vmm->vm_count; t++) {
		const struct vm *vm = &w->vmm->vm[t];

		if (is_in(addr, &vm->mmu_lock, sizeof(vm->mmu_lock)))
			snprintf(text, size, "mmu_lock");
		else if (is_in(addr, &vm->keep_out, sizeof(vm->keep_out)))
			snprintf(text, size, "keep_out");
		else if (is_in(addr, &vm->terminated, sizeof(vm->terminated)))
			snprintf(text, size, "terminated");
		else if (is_in(addr, &vm->mmu_invalidate_seq, 8))
			snprintf(text, size, "mmu_invalidate_seq");
		else if (is_in(addr, &vm->slots_lock, sizeof(vm->slots_lock)))
			snprintf(text, size, "slots_lock");
		else if (is_in(addr, &vm->dead, sizeof(vm->dead)))
			snprintf(text, size, "dead");
		else if (find_slot(w, vm, t, addr, text, size))
			return true;
		else if (is_in(addr, vm->mirror.table,
			       vm->mirror.tables * sizeof(struct mirror_table)))
			snprintf(text, size, "mirror spte %zu",
				 (size_t)((const u8 *)addr - (const u8 *)vm->mirror.table) / 8);
		else
			for (u32 v = 0; v < vm->vcpu_count; v++) {
				if (!is_in(addr, &vm->vcpu[v], sizeof(vm->vcpu[v])))
					continue;
				snprintf(text, size, "vcpu%u %s", v,
					 is_in(addr, &vm->vcpu[v].mode, 4)       ? "mode"
					 : is_in(addr, &vm->vcpu[v].kick, 4)     ? "kick"
					 : is_in(addr, &vm->vcpu[v].requests, 4) ? "requests"
					 : is_in(addr, &vm->vcpu[v].cpu, 4)      ? "cpu"
					 : is_in(addr, &vm->vcpu[v].mutex, 4)    ? "mutex"
					 : is_in(addr, &vm->vcpu[v].wanted, 4)   ? "wanted"
										 : "state");
			}
		if (*text)
			return true;
	}
	return false;
}

enum xworld_word xworld_describe(const struct world *w, const void *addr, char *text, size_t size)
{
	static const enum xworld_word bare[] = {
		[SCN_LOCK_MUTEX] = XWORD_MUTEX,
		[SCN_LOCK_SHAREX] = XWORD_SHAREX,
		[SCN_LOCK_SHAREX_HP] = XWORD_SHAREX_HP,
		[SCN_LOCK_SEPT_ENTRY] = XWORD_BARE_ENTRY,
	};
	enum xworld_word kind = XWORD_NUMBER;

	text[0] = '\0';
	if (w->caller) {
		if (!is_in(addr, &w->caller->word, sizeof(w->caller->word)))
			return kind;
		snprintf(text, size, "%s",
			 w->caller->kind == SCN_LOCK_SEPT_ENTRY ? "S-EPT entry" : "lock word");
		return bare[w->caller->kind];
	}
	for (u32 t = 0; t < w->vmm->vm_count; t++) {
		if (find_entry(w, addr, t, text, size))
			return XWORD_ENTRY;
		if (find_tdcs(w, addr, t, text, size, &kind))
			return kind;
	}
	if (!find_pamt(w, addr, text, size, &kind) && !find_host(w, addr, text, size) &&
	    !find_cpu(w, addr, text, size))
		xmachine_describe_lp(w->machine, addr, text, size);
	return kind;
}
