// SPDX-License-Identifier: MIT
/*
 * Each oracle is seen to fail: a machine for which all hold is broken in one place, as a module would
 * that has lost its way, and the invariant that is meant for it says so. One case for each row of
 * oracle.def, by its name.
 */
#include "module_fixture.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/arena.h"
#include "host/host.h"
#include "oracle/oracle.h"
#include "oracle/word.h"
#include "test_env.h"

#define GPA   0x40000000ull
#define GPA_2 0x40003000ull

/* A machine with an oracle that has watched it from the start; which ids it has named since. */
struct watched {
	struct fx *f;
	struct fx_td *td;
	struct oracle *o;
	void *room;
	size_t size;
	struct test_env env;
	u64 page; /* mapped at GPA, accepted */
};

static u64 named;

static void note_name(const char *id)
{
	for (u32 i = 0; i < ORACLES; i++)
		if (!strcmp(id, oracle_name((enum oracle_id)i)))
			named |= BIT_ULL(i);
}

static void on_violate(struct sl_env *env, enum sl_violation kind, const char *id, const char *text)
{
	(void)env;
	(void)text;
	assert_int_equal(kind, SL_VIOLATION_ORACLE);
	note_name(id);
}

static struct sl_env_ops at_rest_ops = { .violate = on_violate };
static struct sl_env at_rest = { .ops = &at_rest_ops };

static u64 names_at_rest(struct watched *t, bool no_stale_hp)
{
	struct oracle_claims claims = { .no_stale_hp = no_stale_hp };

	named = 0;
	oracle_check_at_rest(t->o, NULL, &at_rest, &claims);
	return named;
}

/* What the machine itself has been told of since the last call here. */
static u64 names_so_far(struct watched *t)
{
	named = 0;
	if (t->f->violations)
		note_name(t->f->id);
	t->f->violations = 0;
	return named;
}

static struct watched *watched_over(struct fx *f)
{
	struct watched *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->f = f;
	t->td = &t->f->td[0];
	t->size = oracle_size(&t->f->m->cfg);
	t->room = mmap(NULL, t->size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(t->room != MAP_FAILED);
	t->o = oracle_init(t->room, t->f->m);
	return t;
}

/* Up to READY, nothing built. */
static struct watched *watched_empty(void)
{
	return watched_over(fx_up_contents(SL_PUBLISHED));
}

/* With dynamic PAMT, and one pair. */
static struct watched *watched_pair(void)
{
	struct watched *t = watched_over(fx_up_bare(SL_PUBLISHED));

	fx_pair(t->f, FX_HPA(FX_AT_HIGH));
	eq(names_at_rest(t, false), 0);
	eq(names_so_far(t), 0);
	return t;
}

/* With a TD that runs and a page of which it has had the use. */
static struct watched *watched_new(void)
{
	struct watched *t = watched_empty();

	fx_td_runnable(t->f, t->td, 1);
	t->page = fx_page_high(t->f);
	fx_map(t->f, t->td, GPA, 0, t->page);
	return t;
}

static void watched_free(struct watched *t)
{
	munmap(t->room, t->size);
	/* Not fx_down(): the machine is broken. */
	for (u32 i = 0; i < FX_LPS; i++)
		munmap(t->f->env[i].stats, sizeof(struct sl_stats));
	munmap(t->f->arena, t->f->size);
	free(t->f);
	free(t);
}

#define ONLY(id) BIT_ULL(INV_##id)

/* ---- pages ------------------------------------------------------------------------------------- */

static u64 page_01(struct watched *t)
{
	u64 names;

	/* Its PAMT entry says that nobody has the page. */
	pamt_set_type(fx_pamt(t->f, t->page, 0), PAMT_NDA);
	names = names_at_rest(t, false);
	assert_true(names & ONLY(PAGE_01));
	fx_td_initialized(t->f, &t->f->td[1], 1);
	fx_aug(t->f, t->td, GPA_2, 0, fx_page_high(t->f));
	eq(names_so_far(t), 0);
	is(SC(t->f, 1, tdh_vp_create, .rcx = t->page, .rdx = t->f->td[1].tdr), ST_SUCCESS);
	return names_so_far(t);
}

static u64 page_02(struct watched *t)
{
	pamt_set_type(fx_pamt(t->f, t->page, 0), PAMT_NDA);
	is(SC(t->f, 1, tdh_mem_page_aug, .rcx = GPA_2, .rdx = t->td->tdr, .r8 = t->page),
	   ST_SUCCESS);
	eq(names_so_far(t), ONLY(PAGE_02));
	/* An entry that came from nowhere. */
	fx_poke(t->f, t->td, GPA_2, 0, E_FREE);
	fx_poke(t->f, t->td, GPA, 0, E_FREE);
	fx_poke(t->f, t->td, GPA + SL_PAGE_SIZE, 0, E_MAPPED(t->page));
	return names_at_rest(t, false);
}

static u64 use_at;

static void use(struct fx *f, struct sl_lp *lp)
{
	(void)f;
	sl_guest_access(lp, use_at, false, NULL);
}

static u64 accept_01(struct watched *t)
{
	u64 page = fx_page_high(t->f);

	fx_aug(t->f, t->td, GPA_2, 0, page);
	fx_poke(t->f, t->td, GPA_2, 0, E_MAPPED(page));
	assert_true(names_at_rest(t, false) & ONLY(ACCEPT_01));
	use_at = GPA_2;
	fx_enter(t->f, 0, t->td->vcpu[0], use);
	return names_so_far(t);
}

static struct watched *using;

/* Takes the page away under a translation. */
static void use_taken(struct fx *f, struct sl_lp *lp)
{
	sl_guest_access(lp, GPA, false, NULL);
	eq(names_so_far(using), 0);
	fx_poke(f, using->td, GPA, 0, E_FREE);
	sl_guest_access(lp, GPA, false, NULL);
}

static u64 tlb_01(struct watched *t)
{
	using = t;
	fx_enter(t->f, 0, t->td->vcpu[0], use_taken);
	return names_so_far(t);
}

/* ---- measurement ---------------------------------------------------------------------------- */

static u64 measure_01(struct watched *t)
{
	struct fx_td *td = &t->f->td[1];
	u64 spoiled[2];

	fx_td_initialized(t->f, td, 1);
	fx_sept(t->f, td, GPA, 0);
	is(SC(t->f, 0, tdh_mem_page_add, .rcx = GPA, .rdx = td->tdr, .r8 = fx_page_high(t->f),
	      .r9 = FX_SOURCE),
	   ST_SUCCESS);
	is(SC(t->f, 0, tdh_mr_extend, .rcx = GPA + 256, .rdx = td->tdr), ST_SUCCESS);
	/* A call that is refused after it has measured. */
	memcpy(spoiled, fx_tdcs(t->f, td)->mrtd_ctx.room, sizeof(spoiled));
	spoiled[1]++;
	memcpy(fx_tdcs(t->f, td)->mrtd_ctx.room, spoiled, sizeof(spoiled));
	eq(names_so_far(t), 0);
	is(SC(t->f, 0, tdh_mr_finalize, .rcx = td->tdr), ST_SUCCESS);
	return names_so_far(t);
}

/* ---- locks ------------------------------------------------------------------------------------ */

static u64 lock_01(struct watched *t)
{
	const struct fx_word words[] = {
		fx_w_pamt(t->f, t->page, 0),       fx_w_pamt(t->f, t->page, 2),
		fx_w_op_state(t->f, t->td),        fx_w_tree(t->f, t->td),
		fx_w_epoch(t->f, t->td),           fx_w_rtmr(t->f, t->td),
		fx_w_entry(t->f, t->td, GPA, 0),   fx_w_sharex(&t->f->m->sys_lock),
		fx_w_sharex(&t->f->m->kot_lock),   fx_w_mutex(&t->f->m->mem.tdmr_lock),
		fx_w_mutex(&t->f->m->wbt[1].lock), fx_w_mutex(&t->f->m->key_engine[0]),
	};

	for (u32 i = 0; i < ARRAY_SIZE(words); i++) {
		fx_hold(t->f, words[i], true);
		eq(names_at_rest(t, false), ONLY(LOCK_01));
		fx_release_all(t->f);
		eq(names_at_rest(t, false), 0);
	}
	return ONLY(LOCK_01);
}

static u64 lock_02(struct watched *t)
{
	fx_set_hp(fx_w_pamt(t->f, t->page, 0));
	eq(names_at_rest(t, false), 0);
	eq(names_at_rest(t, true), ONLY(LOCK_02));
	fx_set_hp(fx_w_entry(t->f, t->td, GPA, 0));
	return names_at_rest(t, true);
}

/* The dispatcher's own count is broken by a mutant of tests/mutants. */
static u64 lock_03(struct watched *t)
{
	t->f->m->hooks->leaked(t->f->lp[0], "TDH.MEM.TRACK", 0, 1);
	return names_so_far(t);
}

/* ---- counts ------------------------------------------------------------------------------------ */

static u64 epoch_01(struct watched *t)
{
	atomic_fetch_add(&fx_tdcs(t->f, t->td)->epoch.f.refcount[1], 1);
	return names_at_rest(t, false);
}

static u64 vcpu_01(struct watched *t)
{
	atomic_fetch_add(&fx_tdcs(t->f, t->td)->num_assoc_vcpus, 1);
	eq(names_at_rest(t, false), ONLY(VCPU_01));
	atomic_fetch_sub(&fx_tdcs(t->f, t->td)->num_assoc_vcpus, 1);
	atomic_store(&fx_tdvps(t->f, t->td->vcpu[0])->state, VCPU_ACTIVE);
	return names_at_rest(t, false);
}

static u64 sept_01(struct watched *t)
{
	fx_poke(t->f, t->td, GPA, 0, E_FREE);
	return names_at_rest(t, false);
}

static u64 pamt_01(struct watched *t)
{
	atomic_fetch_sub(&fx_tdr(t->f, t->td)->chldcnt, 1);
	return names_at_rest(t, false);
}

static u64 pamt_02(struct watched *t)
{
	struct watched *p = watched_pair();
	u64 names;

	(void)t;
	fx_hold(p->f, fx_w_pamt(p->f, fx_page_high(p->f), 0), true);
	is(SC(p->f, 0, tdh_phymem_pamt_remove, .rcx = FX_HPA(FX_AT_HIGH) | 1), ST_SUCCESS);
	names = names_so_far(p);
	watched_free(p);
	return names;
}

static u64 pamt_03(struct watched *t)
{
	struct watched *p = watched_pair();
	struct pamt_entry *e = fx_pamt(p->f, FX_HPA(FX_AT_HIGH), 1);
	u64 names = BIT_ULL(INV_PAMT_03);

	(void)t;
	/* The count; a page that is another's; a page in use without an entry. */
	atomic_fetch_add(&e->bepoch, 1);
	names &= names_at_rest(p, false);
	atomic_fetch_sub(&e->bepoch, 1);
	pamt_set_owner(e, (struct hpa){ FX_HPA(FX_AT_BIG) });
	names &= names_at_rest(p, false);
	pamt_set_owner(e, (struct hpa){ fx_pair_page(FX_HPA(FX_AT_HIGH), 0) });
	pamt_set_type(fx_pamt(p->f, FX_HPA(FX_AT_TD), 0), PAMT_TDCX);
	names &= names_at_rest(p, false);
	pamt_set_type(fx_pamt(p->f, FX_HPA(FX_AT_TD), 0), PAMT_NDA);
	eq(names_at_rest(p, false), 0);
	watched_free(p);
	return names;
}

static u64 empty_03(struct watched *t)
{
	struct watched *p = watched_pair();

	(void)t;
	named = 0;
	oracle_check_empty(p->o, &at_rest);
	watched_free(p);
	return named;
}

static u64 empty_01(struct watched *t)
{
	fx_td_teardown(t->f, t->td);
	named = 0;
	oracle_check_empty(t->o, &at_rest);
	return named;
}

static u64 empty_02(struct watched *t)
{
	struct watched *fresh = watched_empty();

	(void)t;
	named = 0;
	oracle_check_empty(fresh->o, &at_rest);
	eq(named, 0);
	fresh->f->m->kot[40].state = KOT_ASSIGNED;
	oracle_check_empty(fresh->o, &at_rest);
	watched_free(fresh);
	return named;
}

/* ---- the VMM ----------------------------------------------------------------------------------- */

static u64 mirror_01(struct watched *t)
{
	const struct vm_range range = { .pages = 4, .init = VM_RANGE_PENDING };
	const struct vm_config vc = { .vcpus = 1, .pages = 4, .ranges = &range, .range_count = 1 };
	static const struct oracle_claims claims = { 0 }, no_mirror = { .no_mirror = true };
	struct host_policy policy;
	struct vmm_config cfg = {
		.policy = &policy, .lps = 1, .packages = 1, .vms = &vc, .vm_count = 1
	};
	struct sl_machine_config mc;
	struct sl_arena a;
	struct oracle *o;
	struct vmm *vmm;
	struct cpu *cpu;

	(void)t;
	assert_int_equal(host_policy_init(&policy, "kvm-6.19", 8), 0);
	sl_machine_config_init(&mc);
	mc.private_pages = vmm_private_pages(&cfg);
	test_env_init(&using->env, 1);
	test_arena_init(&a, sl_machine_arena_size(&mc) + oracle_size(&mc) + vmm_arena_size(&cfg) +
				    4 * SL_PAGE_SIZE);
	void *machine = sl_arena_alloc(&a, sl_machine_arena_size(&mc), SL_PAGE_SIZE);
	struct sl_machine *m = sl_machine_init(&mc, machine, sl_machine_arena_size(&mc));

	o = oracle_init(sl_arena_alloc(&a, oracle_size(&mc), SL_PAGE_SIZE), m);
	vmm = vmm_init(&a, &cfg, m, &using->env.base);
	assert_int_equal(vmm_bring_up(vmm, &using->env.base), 0);
	cpu = cpu_take(vmm, 0, &using->env.base);
	assert_int_equal(vm_build(&vmm->vm[0], cpu), 0);
	named = 0;
	oracle_check_at_rest(o, vmm, &at_rest, &claims);
	eq(named, 0);
	/* A page that the VMM has asked for twice, as it thinks. */
	vmm->vm[0].tdcx_count++;
	oracle_check_at_rest(o, vmm, &at_rest, &no_mirror);
	eq(named, 0);
	oracle_check_at_rest(o, vmm, &at_rest, &claims);
	test_arena_free(&a);
	return named;
}

/* ---- bare lock words ----------------------------------------------------------------------------- */

static struct word_ghost ghost;
static const struct word_oracle word = {
	.layout = { .exclusive = 1, .hp = 2, .readers = 0xFFFC },
	.ghost = &ghost,
	.no_stale_hp = true,
	.hp_kept = true,
};

static u64 word_01(struct watched *t)
{
	(void)t;
	named = 0;
	oracle_word_enter(&word, &at_rest, false);
	oracle_word_enter(&word, &at_rest, false);
	eq(named, 0);
	oracle_word_enter(&word, &at_rest, true);
	oracle_word_leave(&word, true);
	oracle_word_leave(&word, false);
	oracle_word_leave(&word, false);
	return named;
}

static u64 word_02(struct watched *t)
{
	(void)t;
	named = 0;
	oracle_word_at_rest(&word, &at_rest, 0);
	eq(named, 0);
	oracle_word_at_rest(&word, &at_rest, 4);
	return named;
}

static u64 word_03(struct watched *t)
{
	(void)t;
	named = 0;
	oracle_word_at_rest(&word, &at_rest, 2);
	eq(named, ONLY(WORD_03));
	named = 0;
	oracle_word_ended(&word, &at_rest, 0, WORD_REFUSED_HOST, true, 2);
	return named;
}

static u64 word_04(struct watched *t)
{
	(void)t;
	named = 0;
	oracle_word_ended(&word, &at_rest, 0, WORD_REFUSED_HOST, true, 1 | 2);
	eq(named, 0);
	oracle_word_ended(&word, &at_rest, 0, WORD_OTHER, true, 1);
	return named;
}

static u64 word_05(struct watched *t)
{
	(void)t;
	/* Refused from then on. */
	oracle_word_ended(&word, &at_rest, 1, WORD_REFUSED_HOST, true, 1 | 2);
	oracle_word_asks(&word, 0, 1 | 2);
	named = 0;
	oracle_word_ended(&word, &at_rest, 0, WORD_GRANTED_GUEST, true, 1 | 2);
	return named;
}

/* ---- all of them ---------------------------------------------------------------------------------- */

static void test_each_can_fail(void **state)
{
	static u64 (*const broken[ORACLES])(struct watched * t) = {
		[INV_PAGE_01] = page_01,       [INV_PAGE_02] = page_02,
		[INV_ACCEPT_01] = accept_01,   [INV_TLB_01] = tlb_01,
		[INV_MEASURE_01] = measure_01, [INV_LOCK_01] = lock_01,
		[INV_LOCK_02] = lock_02,       [INV_LOCK_03] = lock_03,
		[INV_EPOCH_01] = epoch_01,     [INV_VCPU_01] = vcpu_01,
		[INV_SEPT_01] = sept_01,       [INV_PAMT_01] = pamt_01,
		[INV_PAMT_02] = pamt_02,       [INV_PAMT_03] = pamt_03,
		[INV_EMPTY_03] = empty_03,     [INV_MIRROR_01] = mirror_01,
		[INV_EMPTY_01] = empty_01,     [INV_EMPTY_02] = empty_02,
		[INV_WORD_01] = word_01,       [INV_WORD_02] = word_02,
		[INV_WORD_03] = word_03,       [INV_WORD_04] = word_04,
		[INV_WORD_05] = word_05,
	};

	(void)state;
	for (u32 i = 0; i < ORACLES; i++) {
		struct watched *t = watched_new();
		u64 names;

		using = t;
		assert_non_null(broken[i]);
		eq(names_at_rest(t, false), 0);
		eq(names_so_far(t), 0);
		names = broken[i](t);
		if (!(names >> i & 1))
			fail_msg("%s holds where it is broken (others: 0x%llx)",
				 oracle_name((enum oracle_id)i), (unsigned long long)names);
		watched_free(t);
	}
}

/* Each way that a page can go: taken, accepted, split, merged, moved, removed, reclaimed. */
static void test_a_whole_life(void **state)
{
	struct watched *t = watched_new();
	u64 big = FX_HPA(FX_AT_BIG), gpa = GPA + SL_LEVEL_SIZE(1), tdr = t->td->tdr;

	(void)state;
	fx_map(t->f, t->td, gpa, 1, big);
	for (u32 round = 0; round < 2; round++) {
		eq(names_at_rest(t, false), 0);
		is(SC(t->f, 1, tdh_mem_range_block, .rcx = gpa | 1, .rdx = tdr), ST_SUCCESS);
		is(SC(t->f, 1, tdh_mem_track, .rcx = tdr), ST_SUCCESS);
		if (round == 0)
			is(SC(t->f, 1, tdh_mem_page_demote, .rcx = gpa | 1, .rdx = tdr,
			      .r8 = fx_page_sept(t->f)),
			   ST_SUCCESS);
		else
			is(SC(t->f, 1, tdh_mem_page_promote, .rcx = gpa | 1, .rdx = tdr),
			   ST_SUCCESS);
		use_at = gpa + 5 * SL_PAGE_SIZE;
		fx_enter(t->f, 0, t->td->vcpu[0], use);
	}
	is(SC(t->f, 1, tdh_mem_range_block, .rcx = GPA, .rdx = tdr), ST_SUCCESS);
	is(SC(t->f, 1, tdh_mem_track, .rcx = tdr), ST_SUCCESS);
	is(SC(t->f, 1, tdh_mem_page_relocate, .rcx = GPA, .rdx = tdr, .r8 = fx_page_high(t->f)),
	   ST_SUCCESS);
	use_at = GPA;
	fx_enter(t->f, 0, t->td->vcpu[0], use);
	eq(names_at_rest(t, false), 0);
	fx_td_teardown(t->f, t->td);
	for (u64 i = 0; i < t->f->m->mem.pages; i++)
		if (pamt_type(fx_pamt(t->f, FX_HPA(i), 0)) != PAMT_NDA && FX_HPA(i) != tdr)
			is(SC(t->f, 0, tdh_phymem_page_reclaim, .rcx = FX_HPA(i)), ST_SUCCESS);
	is(SC(t->f, 0, tdh_phymem_page_reclaim, .rcx = big), ST_SUCCESS);
	is(SC(t->f, 0, tdh_phymem_page_reclaim, .rcx = tdr), ST_SUCCESS);
	eq(names_at_rest(t, true), 0);
	named = 0;
	oracle_check_empty(t->o, &at_rest);
	eq(named, 0);
	eq(names_so_far(t), 0);
	watched_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_can_fail),
		cmocka_unit_test(test_a_whole_life),
	};

	return cmocka_run_group_tests_name("oracle", tests, NULL, NULL);
}
