// SPDX-License-Identifier: MIT
/* See module_fixture.h. */
#include "module_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

/* The lock library's complaint: a lock was released that nobody held. */
void hp_misuse(const char *what)
{
	fprintf(stderr, "misuse of a lock: %s\n", what);
	abort();
}

/* ---- env ------------------------------------------------------------------------------------ */

static struct fx *fx_of(struct sl_env *env)
{
	return ((struct fx_env *)env)->f;
}

static u32 op_choose(struct sl_env *env, enum sl_choice what, u32 n)
{
	struct fx *f = fx_of(env);
	u32 value = 0;

	assert_true((u32)what < 3);
	f->asked[what]++;
	if (f->script_at < f->script_length)
		value = f->script[f->script_at++];
	assert_true(value < n);
	return value;
}

static u64 op_now(struct sl_env *env)
{
	return fx_of(env)->clock;
}

static void op_pause(struct sl_env *env)
{
	(void)env;
	fail_msg("the module paused");
}

static void op_wait_while(struct sl_env *env, const _Atomic u32 *word, u32 old)
{
	(void)env;
	(void)word;
	(void)old;
	fail_msg("the module waits");
}

static void op_note(struct sl_env *env, enum sl_note what, u64 a, u64 b)
{
	(void)what;
	(void)a;
	(void)b;
	fx_of(env)->notes++;
}

static void op_violate(struct sl_env *env, enum sl_violation kind, const char *id, const char *text)
{
	struct fx *f = fx_of(env);

	f->violations++;
	f->kind = kind;
	snprintf(f->id, sizeof(f->id), "%s", id);
	snprintf(f->text, sizeof(f->text), "%s", text);
}

static const struct sl_env_ops ops = {
	.choose = op_choose,
	.now = op_now,
	.pause = op_pause,
	.wait_while = op_wait_while,
	.note = op_note,
	.violate = op_violate,
};

void fx_script(struct fx *f, u32 n, ...)
{
	va_list ap;

	assert_true(n <= ARRAY_SIZE(f->script));
	va_start(ap, n);
	for (u32 i = 0; i < n; i++)
		f->script[i] = va_arg(ap, u32);
	va_end(ap);
	f->script_length = n;
	f->script_at = 0;
}

/* ---- a guest that is a function --------------------------------------------------------------- */

void fx_vmcall(struct fx *f, struct sl_lp *lp)
{
	struct tdx_module_args seen = f->g;

	TC(f, lp, tdg_vp_vmcall, 0);
	f->g = seen;
}

static void guest_run(struct sl_guest *base, struct sl_lp *lp)
{
	struct fx_guest *g = (struct fx_guest *)base;

	g->f->depth++;
	if (g->fn)
		g->fn(g->f, lp);
	if (!sl_guest_exit_pending(lp))
		fx_vmcall(g->f, lp);
	g->f->depth--;
}

u64 fx_enter_flags(struct fx *f, u32 lp, u64 vcpu, u64 flags, fx_guest_fn fn)
{
	f->guest[lp].fn = fn;
	assert_int_equal(sl_guest_bind(f->m, vcpu, &f->guest[lp].base), 0);
	return SC(f, lp, tdh_vp_enter, .rcx = vcpu | flags);
}

u64 fx_enter(struct fx *f, u32 lp, u64 vcpu, fx_guest_fn fn)
{
	return fx_enter_flags(f, lp, vcpu, 0, fn);
}

/* ---- calls ---------------------------------------------------------------------------------- */

#define REGS (sizeof(struct tdx_module_args) / sizeof(u64))

/* Registers in the order of struct tdx_module_args: RCX, RDX, R8, ... */
#define M_RCX  1u
#define M_RDX  2u
#define M_R8   4u
#define M_R9   8u
#define M_R10  16u
#define M_R11  32u
#define M_PAIR (64u | 128u) /* R12 and R13 */
#define M_INFO (M_RCX | M_RDX)
#define M_ALL  0xFFFFu

/* Registers that a leaf may write; @rax has its number and its version. */
static u32 seamcall_outputs(u32 rax)
{
	switch (rax) {
	case SEAMCALL_tdh_vp_enter:
		return M_ALL;
	case SEAMCALL_tdh_sys_init:
		return M_RCX | M_RDX | M_R8 | M_R9 | M_R10;
	case SEAMCALL_tdh_sys_lp_init:
		return M_RCX | M_RDX | M_R8;
	case SEAMCALL_tdh_sys_tdmr_init:
		return M_RDX;
	case SEAMCALL_tdh_sys_rd:
		return M_RDX | M_R8;
	case SEAMCALL_tdh_sys_info:
		return M_RDX | M_R9;
	case SEAMCALL_tdh_mng_rd | 1 << 16:
	case SEAMCALL_tdh_vp_rd | 1 << 16:
		return M_RDX | M_R8;
	case SEAMCALL_tdh_mng_rd:
	case SEAMCALL_tdh_vp_rd:
	case SEAMCALL_tdh_mng_wr:
	case SEAMCALL_tdh_vp_wr:
		return M_R8;
	case SEAMCALL_tdh_mng_init:
		return M_RCX;
	case SEAMCALL_tdh_mem_sept_add:
	case SEAMCALL_tdh_mem_sept_add | 1 << 16:
	case SEAMCALL_tdh_mem_rd:
	case SEAMCALL_tdh_mem_wr:
		return M_INFO | M_R8;
	case SEAMCALL_tdh_mem_page_promote | 1 << 16:
	case SEAMCALL_tdh_mem_sept_remove | 1 << 16:
		return M_INFO | M_R9 | M_R10 | M_R11;
	case SEAMCALL_tdh_mem_sept_rd:
	case SEAMCALL_tdh_mem_page_add:
	case SEAMCALL_tdh_mem_page_aug:
	case SEAMCALL_tdh_mem_page_demote:
	case SEAMCALL_tdh_mem_page_promote:
	case SEAMCALL_tdh_mem_page_relocate:
	case SEAMCALL_tdh_mem_page_remove:
	case SEAMCALL_tdh_mem_sept_remove:
	case SEAMCALL_tdh_mem_range_block:
	case SEAMCALL_tdh_mem_range_unblock:
	case SEAMCALL_tdh_mr_extend:
		return M_INFO;
	case SEAMCALL_tdh_phymem_pamt_remove:
		return M_RDX | M_R8;
	case SEAMCALL_tdh_phymem_page_reclaim:
	case SEAMCALL_tdh_phymem_page_rdmd:
		return M_INFO | M_R8 | M_R9 | M_R10 | M_R11;
	default:
		return 0;
	}
}

static u32 tdcall_outputs(u32 rax)
{
	switch (rax) {
	case TDCALL_tdg_vp_info:
		return M_INFO | M_R8 | M_R9 | M_R10 | M_R11;
	case TDCALL_tdg_vp_veinfo_get:
		return M_INFO | M_R8 | M_R9 | M_R10;
	case TDCALL_tdg_mem_page_attr_rd:
	case TDCALL_tdg_mem_page_attr_wr:
		return M_INFO;
	case TDCALL_tdg_vm_rd | 1 << 16:
	case TDCALL_tdg_vp_rd:
		return M_RDX | M_R8;
	case TDCALL_tdg_vm_rd:
	case TDCALL_tdg_vm_wr:
	case TDCALL_tdg_vp_wr:
		return M_R8;
	default:
		return 0;
	}
}

/* R12 to RSI, seldom operands, carry a mark where the test has nothing in them. */
#define FIRST_MARKED 6
#define MARK(i)      (0x5EA15EA100000000ull + (i))

static void mark(struct tdx_module_args *args)
{
	u64 *reg = &args->rcx;

	for (u32 i = FIRST_MARKED; i < REGS; i++)
		if (!reg[i])
			reg[i] = MARK(i);
}

static void check_marks(const struct tdx_module_args *in, const struct tdx_module_args *out,
			u32 outputs, u32 leaf)
{
	const u64 *before = &in->rcx, *after = &out->rcx;

	for (u32 i = 0; i < REGS; i++)
		if (!(outputs >> i & 1) && before[i] != after[i])
			fail_msg("leaf %u wrote register %u: %llx, was %llx", leaf, i,
				 (unsigned long long)after[i], (unsigned long long)before[i]);
}

/*
 * The statuses seen, as pairs with their leaf: written to the file that SEAMLAB_STATUS_LOG names when
 * the program ends, one line each: 1 for a TDCALL, leaf, status.
 */
#define SEEN_MAX 2048

static struct {
	bool guest;
	u32 leaf;
	u64 status;
} seen[SEEN_MAX];
static u32 seen_count;

static void write_seen(void)
{
	const char *path = getenv("SEAMLAB_STATUS_LOG");
	FILE *log = path ? fopen(path, "a") : NULL;

	if (!log)
		return;
	for (u32 i = 0; i < seen_count; i++)
		fprintf(log, "%u %u %llx\n", seen[i].guest, seen[i].leaf,
			(unsigned long long)seen[i].status);
	fclose(log);
}

static void saw(bool guest, u64 rax, u64 status)
{
	u32 leaf = (u32)(rax & 0xFFFF);

	/* A dead module says the same to everything. */
	if (status == ST_HALTED)
		return;
	for (u32 i = 0; i < seen_count; i++)
		if (seen[i].guest == guest && seen[i].leaf == leaf && seen[i].status == status)
			return;
	assert_true(seen_count < SEEN_MAX);
	seen[seen_count].guest = guest;
	seen[seen_count].leaf = leaf;
	seen[seen_count++].status = status;
}

u64 fx_seamcall(struct fx *f, u32 lp, u64 rax, struct tdx_module_args in)
{
	u32 outputs = seamcall_outputs((u32)(rax & 0xFFFFFF));
	struct tdx_module_args regs;
	u64 st;

	if (f->m->dynamic_pamt && (rax & 0xFFFF) == SEAMCALL_tdh_mem_page_promote)
		outputs |= M_PAIR;
	if (outputs != M_ALL)
		mark(&in);
	regs = in;
	st = seamcall(f->lp[lp], rax, &regs);
	check_marks(&in, &regs, outputs, (u32)(rax & 0xFFFF));
	f->out = regs;
	saw(false, rax, st);
	if (!f->depth)
		fx_check_locks(f);
	return st;
}

u64 fx_tdcall(struct fx *f, struct sl_lp *lp, u64 rax, struct tdx_module_args in)
{
	u32 leaf = (u32)(rax & 0xFFFF);
	struct tdx_module_args regs;
	u64 st;

	if (leaf != TDCALL_tdg_vp_vmcall)
		mark(&in);
	regs = in;
	st = tdcall(lp, rax, &regs);
	check_marks(&in, &regs, tdcall_outputs((u32)(rax & 0xFFFFFF)), leaf);
	f->g = regs;
	/* A TDCALL that did not go back to the guest has no status. */
	if (!sl_guest_exit_pending(lp) && !sl_guest_ve_injected(lp))
		saw(true, rax, st);
	return st;
}

static const char *name_of(u64 st)
{
	const char *name = tdx_status_name(st);

	return name ? name : "?";
}

void fx_is_at(u64 got, u64 want, const char *what, const char *file, int line)
{
	if (got == want)
		return;
	print_error("%s:%d: %s is 0x%016llx (%s), not 0x%016llx (%s)\n", file, line, what,
		    (unsigned long long)got, name_of(got), (unsigned long long)want, name_of(want));
	_fail(file, line);
}

void fx_eq_at(u64 got, u64 want, const char *what, const char *file, int line)
{
	if (got == want)
		return;
	print_error("%s:%d: %s is 0x%llx, not 0x%llx\n", file, line, what, (unsigned long long)got,
		    (unsigned long long)want);
	_fail(file, line);
}

/* ---- bring-up ------------------------------------------------------------------------------- */

static void trap_install(void);

static struct fx *new_release(enum sl_release release, enum sl_flavour flavour, bool contents,
			      bool dynamic_pamt)
{
	struct sl_machine_config cfg;
	struct fx *f = calloc(1, sizeof(*f));
	static bool logged;

	assert_non_null(f);
	if (!logged)
		assert_int_equal(atexit(write_seen), 0);
	logged = true;
	sl_machine_config_init(&cfg);
	cfg.release = release;
	cfg.flavour = flavour;
	cfg.lps = FX_LPS;
	cfg.packages = FX_PACKAGES;
	cfg.private_pages = FX_PAGES;
	cfg.contents = contents;
	cfg.dynamic_pamt = dynamic_pamt;
	f->size = sl_machine_arena_size(&cfg);
	f->arena = mmap(NULL, f->size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(f->arena != MAP_FAILED);
	f->m = sl_machine_init(&cfg, f->arena, f->size);
	for (u32 i = 0; i < FX_LPS; i++) {
		f->env[i].base.ops = &ops;
		f->env[i].stats = mmap(NULL, sizeof(struct sl_stats), PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_true(f->env[i].stats != MAP_FAILED);
		f->env[i].base.stats = f->env[i].stats;
		f->env[i].base.tsc_per_us = FX_TSC;
		f->env[i].f = f;
		f->guest[i].base.run = guest_run;
		f->guest[i].f = f;
		f->lp[i] = sl_machine_lp(f->m, i);
		sl_lp_set_env(f->lp[i], &f->env[i].base);
	}
	trap_install();
	return f;
}

struct fx *fx_new(enum sl_flavour flavour, bool contents)
{
	return new_release(SL_RELEASE_1_5_01, flavour, contents, false);
}

void fx_sys_init(struct fx *f)
{
	is(SC(f, 0, tdh_sys_init, 0), ST_SUCCESS);
}

void fx_lp_init(struct fx *f)
{
	for (u32 i = 0; i < FX_LPS; i++)
		is(SC(f, i, tdh_sys_lp_init, 0), ST_SUCCESS);
}

u64 *fx_tdmr_info(struct fx *f)
{
	u64 *list = sl_machine_shared(f->m, FX_TDMR_LIST);
	u64 *info = sl_machine_shared(f->m, FX_TDMR_INFO);

	list[0] = FX_TDMR_INFO;
	memset(info, 0, 512);
	info[0] = SL_PRIVATE_BASE;
	info[1] = 2ull << 30;
	return info;
}

u64 fx_sys_config(struct fx *f)
{
	u64 flags = f->m->cfg.dynamic_pamt ? BIT_ULL(16) : 0;

	return SC(f, 0, tdh_sys_config, .rcx = FX_TDMR_LIST, .rdx = 1, .r8 = FX_MODULE_KEY | flags);
}

void fx_tdmr_init(struct fx *f)
{
	struct tdx_module_args args;
	u32 calls = 0;

	/* Not through SC(): 512 calls, each with all locks checked, would only take time. */
	do {
		args = (struct tdx_module_args){ .rcx = SL_PRIVATE_BASE };
		is(seamcall(f->lp[0], SEAMCALL_tdh_sys_tdmr_init, &args), ST_SUCCESS);
		calls++;
	} while (args.rdx < SL_PRIVATE_BASE + (2ull << 30));
	eq(calls, 512);
}

static struct fx *up(struct fx *f)
{
	fx_sys_init(f);
	fx_lp_init(f);
	fx_tdmr_info(f);
	is(fx_sys_config(f), ST_SUCCESS);
	for (u32 i = 0; i < FX_PACKAGES; i++)
		is(SC(f, i, tdh_sys_key_config, 0), ST_SUCCESS);
	fx_tdmr_init(f);
	return f;
}

struct fx *fx_up(enum sl_flavour flavour)
{
	return up(fx_new(flavour, false));
}

struct fx *fx_up_release(enum sl_release release, enum sl_flavour flavour)
{
	return up(new_release(release, flavour, true, false));
}

struct fx *fx_up_bare(enum sl_flavour flavour)
{
	return up(new_release(SL_RELEASE_1_5_25, flavour, true, true));
}

u64 fx_pair_page(u64 hpa, u32 i)
{
	return FX_HPA(FX_AT_PAIRS + 2 * ((hpa - SL_PRIVATE_BASE) >> 21) + i);
}

void fx_pair(struct fx *f, u64 hpa)
{
	hpa &= ~((1ull << 21) - 1);
	is(SC(f, 0, tdh_phymem_pamt_add, .rcx = hpa | 1, .rdx = fx_pair_page(hpa, 0),
	      .r8 = fx_pair_page(hpa, 1)),
	   ST_SUCCESS);
}

struct fx *fx_up_dynamic(enum sl_flavour flavour)
{
	static const u32 in_use[] = { FX_AT_TD, FX_AT_VP, FX_AT_SEPT, FX_AT_HIGH };
	struct fx *f = fx_up_bare(flavour);

	for (u32 i = 0; i < ARRAY_SIZE(in_use); i++)
		fx_pair(f, FX_HPA(in_use[i]));
	return f;
}

struct fx *fx_up_contents(enum sl_flavour flavour)
{
	return up(fx_new(flavour, true));
}

/* Every PAMT entry once, not only those that tests use. */
static void check_pamt(struct fx *f)
{
	const struct sl_mem *mem = &f->m->mem;

	for (u64 i = 0; i < mem->pages; i++)
		if (atomic_load(&mem->pamt[0][i].lock.word) & ~2u)
			fail_msg("PAMT entry of page %llu is locked", (unsigned long long)i);
}

void fx_down(struct fx *f)
{
	fx_release_all(f);
	fx_check_locks(f);
	check_pamt(f);
	if (f->violations != f->violations_expected)
		fail_msg("%u findings, not %u; the last one %s: %s", f->violations,
			 f->violations_expected, f->id, f->text);
	free(f->snapshot);
	for (u32 i = 0; i < FX_LPS; i++)
		munmap(f->env[i].stats, sizeof(struct sl_stats));
	munmap(f->arena, f->size);
	free(f);
}

/* ---- building ------------------------------------------------------------------------------- */

u64 fx_page_td(struct fx *f)
{
	return FX_HPA(FX_AT_TD + f->next_td++);
}

u64 fx_page_vp(struct fx *f)
{
	return FX_HPA(FX_AT_VP + f->next_vp++);
}

u64 fx_page_sept(struct fx *f)
{
	return FX_HPA(FX_AT_SEPT + f->next_sept++);
}

u64 fx_page_high(struct fx *f)
{
	return FX_HPA(FX_AT_HIGH + f->next_high++);
}

static void put(u8 *p, u32 at, u64 value, u32 bytes)
{
	memcpy(p + at, &value, bytes);
}

u8 *fx_td_params(struct fx *f)
{
	u8 *p = sl_machine_shared(f->m, FX_TD_PARAMS);

	memset(p, 0, 1024);
	put(p, 0, f->attributes, 8);
	put(p, 8, 3, 8);            /* XFAM: x87, SSE */
	put(p, 16, 4, 2);           /* vCPUs */
	put(p, 24, 3u << 3 | 6, 8); /* EPTP controls: 4 levels, write-back */
	put(p, 40, 40, 2);          /* TSC: 1 GHz */
	return p;
}

void fx_td_create(struct fx *f, struct fx_td *td)
{
	memset(td, 0, sizeof(*td));
	td->tdr = fx_page_td(f);
	td->hkid = (u64)FX_MODULE_KEY + 1 + (u64)(td - f->td);
	is(SC(f, 0, tdh_mng_create, .rcx = td->tdr, .rdx = td->hkid), ST_SUCCESS);
}

void fx_td_addcx(struct fx *f, struct fx_td *td, u32 count)
{
	while (count--) {
		u64 page = fx_page_td(f);

		is(SC(f, 0, tdh_mng_addcx, .rcx = page, .rdx = td->tdr), ST_SUCCESS);
		td->tdcx[td->tdcx_count++] = page;
	}
}

static void key_config(struct fx *f, struct fx_td *td)
{
	for (u32 i = 0; i < FX_PACKAGES; i++)
		is(SC(f, i, tdh_mng_key_config, .rcx = td->tdr), ST_SUCCESS);
}

void fx_td_init(struct fx *f, struct fx_td *td)
{
	fx_td_params(f);
	is(SC(f, 0, tdh_mng_init, .rcx = td->tdr, .rdx = FX_TD_PARAMS), ST_SUCCESS);
}

u64 fx_vcpu_create(struct fx *f, struct fx_td *td)
{
	u64 vcpu = fx_page_vp(f);

	is(SC(f, 0, tdh_vp_create, .rcx = vcpu, .rdx = td->tdr), ST_SUCCESS);
	for (u32 i = 0; i < 5; i++)
		is(SC(f, 0, tdh_vp_addcx, .rcx = fx_page_vp(f), .rdx = vcpu), ST_SUCCESS);
	td->vcpu[td->vcpu_count++] = vcpu;
	return vcpu;
}

u64 fx_vcpu_add(struct fx *f, struct fx_td *td, u32 lp)
{
	u64 vcpu = fx_vcpu_create(f, td);

	is(SC(f, lp, tdh_vp_init, .rcx = vcpu, .rdx = 0x77), ST_SUCCESS);
	return vcpu;
}

void fx_td_allocated(struct fx *f, struct fx_td *td)
{
	fx_td_create(f, td);
	key_config(f, td);
	fx_td_addcx(f, td, FX_TDCX);
}

void fx_td_initialized(struct fx *f, struct fx_td *td, u32 vcpus)
{
	fx_td_allocated(f, td);
	fx_td_init(f, td);
	for (u32 i = 0; i < vcpus; i++)
		fx_vcpu_add(f, td, i);
}

void fx_td_runnable(struct fx *f, struct fx_td *td, u32 vcpus)
{
	fx_td_initialized(f, td, vcpus);
	is(SC(f, 0, tdh_mr_finalize, .rcx = td->tdr), ST_SUCCESS);
}

void fx_td_teardown(struct fx *f, struct fx_td *td)
{
	for (u32 i = 0; i < td->vcpu_count; i++) {
		u32 lp = atomic_load(&fx_tdvps(f, td->vcpu[i])->assoc_lpid);

		if (lp != LPID_NONE)
			is(SC(f, lp, tdh_vp_flush, .rcx = td->vcpu[i]), ST_SUCCESS);
	}
	is(SC(f, 0, tdh_mng_vpflushdone, .rcx = td->tdr), ST_SUCCESS);
	for (u32 i = 0; i < FX_PACKAGES; i++)
		is(SC(f, i, tdh_phymem_cache_wb, .rcx = 0), ST_SUCCESS);
	is(SC(f, 0, tdh_mng_key_freeid, .rcx = td->tdr), ST_SUCCESS);
}

void fx_sept(struct fx *f, struct fx_td *td, u64 gpa, u32 level)
{
	for (u32 l = 3; l > level; l--) {
		u64 at = gpa & ~(SL_LEVEL_SIZE(l) - 1);

		if (fx_entry(f, td, gpa, l - 1))
			continue;
		is(SC(f, 0, tdh_mem_sept_add, .rcx = PAGE_INFO(at, l), .rdx = td->tdr,
		      .r8 = fx_page_sept(f)),
		   ST_SUCCESS);
	}
}

void fx_aug(struct fx *f, struct fx_td *td, u64 gpa, u32 level, u64 hpa)
{
	fx_sept(f, td, gpa, level);
	is(SC(f, 0, tdh_mem_page_aug, .rcx = PAGE_INFO(gpa, level), .rdx = td->tdr, .r8 = hpa),
	   ST_SUCCESS);
}

static u64 to_accept;

static void accept_it(struct fx *f, struct sl_lp *lp)
{
	is(TC(f, lp, tdg_mem_page_accept, .rcx = to_accept), ST_SUCCESS);
}

void fx_map(struct fx *f, struct fx_td *td, u64 gpa, u32 level, u64 hpa)
{
	fx_aug(f, td, gpa, level, hpa);
	to_accept = PAGE_INFO(gpa, level);
	is(fx_enter(f, 0, td->vcpu[0], accept_it), EXIT_VMCALL);
}

/* ---- looking inside --------------------------------------------------------------------------- */

static void *frame(struct fx *f, u64 hpa)
{
	return f->m->mem.frames + (hpa - SL_PRIVATE_BASE);
}

struct tdr *fx_tdr(struct fx *f, const struct fx_td *td)
{
	return frame(f, td->tdr);
}

struct tdcs *fx_tdcs(struct fx *f, const struct fx_td *td)
{
	return frame(f, td->tdcx[0]);
}

struct tdvps *fx_tdvps(struct fx *f, u64 vcpu)
{
	return frame(f, vcpu);
}

struct pamt_entry *fx_pamt(struct fx *f, u64 hpa, u32 level)
{
	return &f->m->mem.pamt[level][(hpa - SL_PRIVATE_BASE) >> (12 + 9 * level)];
}

_Atomic u64 *fx_entry(struct fx *f, const struct fx_td *td, u64 gpa, u32 level)
{
	u64 table = td->tdcx[3];

	for (u32 l = 3;; l--) {
		_Atomic u64 *e = (_Atomic u64 *)frame(f, table) + (gpa >> (12 + 9 * l) & 511);
		u64 value = atomic_load(e);

		if (l == level)
			return e;
		/* A table, blocked or not: no leaf, and not FREE or REMOVED. */
		if ((value & 0x80) || (value & 0x0040000000000000ull))
			return NULL;
		table = value & 0x000FFFFFFFFFF000ull;
	}
}

u64 fx_entry_value(struct fx *f, const struct fx_td *td, u64 gpa, u32 level)
{
	_Atomic u64 *e = fx_entry(f, td, gpa, level);

	assert_non_null(e);
	return atomic_load(e);
}

void fx_poke(struct fx *f, const struct fx_td *td, u64 gpa, u32 level, u64 value)
{
	_Atomic u64 *e = fx_entry(f, td, gpa, level);

	assert_non_null(e);
	atomic_store(e, value);
}

u64 fx_chldcnt(struct fx *f, const struct fx_td *td)
{
	return atomic_load(&fx_tdr(f, td)->chldcnt);
}

static u64 owner_of(const struct pamt_entry *e)
{
	return ((u64)e->owner_high << 32 | e->owner_low) << 12;
}

void fx_page_is_at(struct fx *f, u64 hpa, u32 level, enum pamt_type type, u64 owner, u64 bepoch,
		   const char *file, int line)
{
	const struct pamt_entry *e = fx_pamt(f, hpa, level);

	fx_eq_at(atomic_load(&e->type), type, "type", file, line);
	fx_eq_at(owner_of(e), owner, "owner", file, line);
	fx_eq_at(atomic_load(&e->bepoch), bepoch, "BEPOCH", file, line);
}

/* ---- locks ---------------------------------------------------------------------------------- */

struct fx_word fx_w_pamt(struct fx *f, u64 hpa, u32 level)
{
	return (struct fx_word){ FX_SHAREX_HP, &fx_pamt(f, hpa, level)->lock };
}

struct fx_word fx_w_op_state(struct fx *f, const struct fx_td *td)
{
	return (struct fx_word){ FX_SHAREX_HP, &fx_tdcs(f, td)->op_state_lock };
}

struct fx_word fx_w_tree(struct fx *f, const struct fx_td *td)
{
	/* A sharex_hp from release 1.5.20 on. */
	return (struct fx_word){ f->m->cfg.release == SL_RELEASE_1_5_01 ? FX_SHAREX : FX_SHAREX_HP,
				 &fx_tdcs(f, td)->tree_lock };
}

struct fx_word fx_w_epoch(struct fx *f, const struct fx_td *td)
{
	return (struct fx_word){ FX_SHAREX, &fx_tdcs(f, td)->epoch_lock };
}

struct fx_word fx_w_rtmr(struct fx *f, const struct fx_td *td)
{
	return (struct fx_word){ FX_SHAREX_HP, &fx_tdcs(f, td)->rtmr_lock };
}

struct fx_word fx_w_entry(struct fx *f, const struct fx_td *td, u64 gpa, u32 level)
{
	_Atomic u64 *e = fx_entry(f, td, gpa, level);

	assert_non_null(e);
	return (struct fx_word){ FX_TDEL, e };
}

struct fx_word fx_w_sharex(sharex_t *l)
{
	return (struct fx_word){ FX_SHAREX, l };
}

struct fx_word fx_w_mutex(hp_mutex_t *l)
{
	return (struct fx_word){ FX_MUTEX, l };
}

u64 fx_word_value(struct fx_word w)
{
	switch (w.kind) {
	case FX_SHAREX_HP:
		return atomic_load(&((sharex_hp_t *)w.at)->word);
	case FX_SHAREX:
		return atomic_load(&((sharex_t *)w.at)->word);
	case FX_MUTEX:
		return atomic_load(&((hp_mutex_t *)w.at)->word);
	case FX_TDEL:
		break;
	}
	return atomic_load((_Atomic u64 *)w.at) & (E_TDEL | E_HP);
}

static void word_set(struct fx_word w, u64 value)
{
	_Atomic u64 *e;

	switch (w.kind) {
	case FX_SHAREX_HP:
		atomic_store(&((sharex_hp_t *)w.at)->word, (u16)value);
		return;
	case FX_SHAREX:
		atomic_store(&((sharex_t *)w.at)->word, (u16)value);
		return;
	case FX_MUTEX:
		atomic_store(&((hp_mutex_t *)w.at)->word, (u8)value);
		return;
	case FX_TDEL:
		break;
	}
	e = w.at;
	atomic_store(e, (atomic_load(e) & ~(E_TDEL | E_HP)) | value);
}

static u64 hp_bit(struct fx_word w)
{
	return w.kind == FX_SHAREX_HP ? 2 : w.kind == FX_TDEL ? E_HP : 0;
}

bool fx_word_hp(struct fx_word w)
{
	return fx_word_value(w) & hp_bit(w);
}

void fx_set_hp(struct fx_word w)
{
	word_set(w, fx_word_value(w) | hp_bit(w));
}

static u64 held_value(struct fx_word w, bool ex)
{
	switch (w.kind) {
	case FX_SHAREX_HP:
		return ex ? 1 : 4;
	case FX_SHAREX:
		return ex ? 1 : 2;
	case FX_MUTEX:
		return 1;
	case FX_TDEL:
		break;
	}
	return E_TDEL;
}

void fx_hold(struct fx *f, struct fx_word w, bool ex)
{
	assert_true(f->held_count < FX_HELD_MAX);
	assert_true(!(fx_word_value(w) & ~hp_bit(w)));
	word_set(w, fx_word_value(w) | held_value(w, ex));
	f->held[f->held_count].w = w;
	f->held[f->held_count++].ex = ex;
}

u64 fx_word_held(const struct fx *f, u32 index)
{
	return held_value(f->held[index].w, f->held[index].ex);
}

void fx_release_all(struct fx *f)
{
	while (f->held_count) {
		struct fx_word w = f->held[--f->held_count].w;

		word_set(w, fx_word_value(w) & hp_bit(w));
	}
}

static bool is_held(const struct fx *f, const void *at)
{
	for (u32 i = 0; i < f->held_count; i++)
		if (f->held[i].w.at == at)
			return true;
	return false;
}

static bool is_free(const struct fx *f, struct fx_word w)
{
	return !(fx_word_value(w) & ~hp_bit(w)) || is_held(f, w.at);
}

static const char *table_locks(struct fx *f, u64 hpa)
{
	_Atomic u64 *e = frame(f, hpa);

	for (u32 i = 0; i < SL_ENTRIES; i++)
		if (!is_free(f, (struct fx_word){ FX_TDEL, &e[i] }))
			return "S-EPT entry";
	return NULL;
}

static const char *td_locks(struct fx *f, const struct tdr *tdr)
{
	struct tdcs *t;

	if (!tdr->num_tdcx)
		return NULL;
	t = frame(f, tdr->tdcx[0].v);
	if (!is_free(f, (struct fx_word){ FX_SHAREX_HP, &t->op_state_lock }))
		return "OP_STATE";
	if (!is_free(f, (struct fx_word){ FX_SHAREX_HP, &t->rtmr_lock }))
		return "RTMR";
	if (!is_free(f, (struct fx_word){ f->m->cfg.release == SL_RELEASE_1_5_01 ? FX_SHAREX
										 : FX_SHAREX_HP,
					  &t->tree_lock }))
		return "S-EPT tree";
	if (!is_free(f, (struct fx_word){ FX_SHAREX, &t->epoch_lock }))
		return "epoch";
	return tdr->num_tdcx > 3 ? table_locks(f, tdr->tdcx[3].v) : NULL;
}

static const char *page_locks(struct fx *f, u64 page)
{
	struct pamt_entry *e = &f->m->mem.pamt[0][page];
	u64 hpa = FX_HPA(page);

	if (!is_free(f, (struct fx_word){ FX_SHAREX_HP, &e->lock }))
		return "PAMT entry of a 4 KB page";
	switch (atomic_load(&e->type)) {
	case PAMT_TDR:
		return td_locks(f, frame(f, hpa));
	case PAMT_EPT:
		return table_locks(f, hpa);
	default:
		return NULL;
	}
}

const char *fx_locks(struct fx *f)
{
	struct sl_machine *m = f->m;
	const char *found = NULL;

	for (u64 i = 0; i < FX_LOW_END && !found; i++)
		found = page_locks(f, i);
	for (u64 i = FX_AT_HIGH; i < FX_PAGES && !found; i++)
		found = page_locks(f, i);
	for (u32 level = 1; level < 3; level++)
		for (u64 i = 0; i < m->mem.blocks * SL_LEVEL_PAGES(2 - level); i++)
			if (!is_free(f,
				     (struct fx_word){ FX_SHAREX_HP, &m->mem.pamt[level][i].lock }))
				found = level == 1 ? "PAMT entry of 2 MB" : "PAMT entry of 1 GB";
	if (!is_free(f, (struct fx_word){ FX_SHAREX_HP, &m->mem.rsvd.lock }))
		found = "PAMT entry of absent pages";
	if (!is_free(f, fx_w_sharex(&m->sys_lock)))
		found = "global lock";
	if (!is_free(f, fx_w_sharex(&m->kot_lock)))
		found = "KOT";
	if (!is_free(f, fx_w_mutex(&m->mem.tdmr_lock)))
		found = "TDMR";
	for (u32 i = 0; i < FX_PACKAGES; i++) {
		if (!is_free(f, fx_w_mutex(&m->wbt[i].lock)))
			found = "write-back of a package";
		if (!is_free(f, fx_w_mutex(&m->key_engine[i])))
			found = "key engine";
	}
	return found;
}

void fx_check_locks(struct fx *f)
{
	const char *found = fx_locks(f);

	if (found)
		fail_msg("left locked: %s", found);
}

/* ---- state ---------------------------------------------------------------------------------- */

static void mix(u64 *h, u64 value)
{
	*h = (*h ^ value) * 0x9E3779B97F4A7C15ull;
	*h ^= *h >> 29;
}

static void mix_words(u64 *h, const void *from, size_t bytes)
{
	u64 word;

	for (size_t i = 0; i + sizeof(word) <= bytes; i += sizeof(word)) {
		memcpy(&word, (const u8 *)from + i, sizeof(word));
		mix(h, word);
	}
}

static void mix_table(struct fx *f, u64 *h, u64 hpa)
{
	_Atomic u64 *e = frame(f, hpa);

	for (u32 i = 0; i < SL_ENTRIES; i++)
		mix(h, atomic_load(&e[i]) & ~(E_TDEL | E_HP));
}

static void mix_tdcs(struct fx *f, u64 *h, u64 hpa)
{
	struct tdcs copy;

	memcpy(&copy, frame(f, hpa), sizeof(copy));
	atomic_store(&copy.op_state_lock.word, 0);
	atomic_store(&copy.rtmr_lock.word, 0);
	atomic_store(&copy.tree_lock.word, 0);
	atomic_store(&copy.epoch_lock.word, 0);
	mix_words(h, &copy, sizeof(copy));
}

static void mix_pamt(u64 *h, const struct pamt_entry *e)
{
	mix(h, atomic_load(&e->type) | owner_of(e));
	mix(h, atomic_load(&e->bepoch));
}

static void mix_page(struct fx *f, u64 *h, u64 page)
{
	const struct pamt_entry *e = &f->m->mem.pamt[0][page];
	const struct tdr *tdr;

	mix_pamt(h, e);
	switch (atomic_load(&e->type)) {
	case PAMT_TDR:
		tdr = frame(f, FX_HPA(page));
		mix_words(h, tdr, sizeof(*tdr));
		if (tdr->num_tdcx)
			mix_tdcs(f, h, tdr->tdcx[0].v);
		if (tdr->num_tdcx > 3)
			mix_table(f, h, tdr->tdcx[3].v);
		break;
	case PAMT_TDVPR:
		mix_words(h, frame(f, FX_HPA(page)), sizeof(struct tdvps));
		break;
	case PAMT_EPT:
		mix_table(f, h, FX_HPA(page));
		break;
	default:
		break;
	}
}

u64 fx_digest(struct fx *f)
{
	struct sl_machine *m = f->m;
	u64 h = 1;

	for (u64 i = 0; i < FX_LOW_END; i++)
		mix_page(f, &h, i);
	for (u64 i = FX_AT_HIGH; i < FX_PAGES; i++)
		mix_page(f, &h, i);
	for (u32 level = 1; level < 3; level++)
		for (u64 i = 0; i < m->mem.blocks * SL_LEVEL_PAGES(2 - level); i++)
			mix_pamt(&h, &m->mem.pamt[level][i]);
	mix_pamt(&h, &m->mem.rsvd);
	for (u64 i = 0; m->mem.is_pamt && i < FX_PAGES / 64; i++)
		mix(&h, atomic_load(&m->mem.is_pamt[i]));
	mix(&h, atomic_load(&m->sys_state));
	mix(&h, atomic_load(&m->sys_pkg_bitmap));
	mix(&h, atomic_load(&m->lps_initialized));
	mix(&h, atomic_load(&m->mem.initialized));
	for (u32 i = 0; i < SL_HKIDS; i++)
		mix(&h, m->kot[i].state | (u64)atomic_load(&m->kot[i].wbinvd_bitmap) << 8);
	for (u32 i = 0; i < FX_PACKAGES; i++) {
		mix(&h, (u64)m->wbt[i].started << 32 | m->wbt[i].position);
		mix(&h, m->wbt[i].hkids);
	}
	for (u32 i = 0; i < FX_LPS; i++) {
		mix(&h, m->lp[i].initialized);
		mix(&h, m->lp[i].last_vcpu.v);
		mix(&h, (u64)(uintptr_t)m->lp[i].vp);
	}
	return h;
}

/* The parts of the arena that tests write to. */
struct part {
	u8 *at;
	size_t size;
};

static u32 parts_of(struct fx *f, struct part *p)
{
	struct sl_mem *mem = &f->m->mem;
	u32 n = 0;

	p[n++] = (struct part){ (u8 *)f->m, sizeof(*f->m) + FX_LPS * sizeof(struct sl_lp) };
	p[n++] = (struct part){ (u8 *)mem->pamt[2], 2 * sizeof(struct pamt_entry) };
	p[n++] = (struct part){ (u8 *)mem->pamt[1], 1024 * sizeof(struct pamt_entry) };
	p[n++] = (struct part){ (u8 *)mem->pamt[0], FX_LOW_END * sizeof(struct pamt_entry) };
	p[n++] = (struct part){ (u8 *)(mem->pamt[0] + FX_AT_HIGH),
				(FX_PAGES - FX_AT_HIGH) * sizeof(struct pamt_entry) };
	p[n++] = (struct part){ mem->shared, 4 * SL_PAGE_SIZE };
	p[n++] = (struct part){ frame(f, FX_HPA(FX_AT_TD)), 24 * SL_PAGE_SIZE };
	p[n++] = (struct part){ frame(f, FX_HPA(FX_AT_VP)), 32 * SL_PAGE_SIZE };
	p[n++] = (struct part){ frame(f, FX_HPA(FX_AT_SEPT)), 16 * SL_PAGE_SIZE };
	p[n++] = (struct part){ frame(f, FX_HPA(FX_AT_HIGH)), 16 * SL_PAGE_SIZE };
	return n;
}

#define PARTS_MAX 16

void fx_save(struct fx *f)
{
	struct part p[PARTS_MAX];
	u32 n = parts_of(f, p);
	size_t size = sizeof(*f), at = 0;
	u8 *to;

	for (u32 i = 0; i < n; i++)
		size += p[i].size;
	free(f->snapshot);
	f->snapshot = NULL;
	to = malloc(size);
	assert_non_null(to);
	for (u32 i = 0; i < n; at += p[i++].size)
		memcpy(to + at, p[i].at, p[i].size);
	f->snapshot = to;
	memcpy(to + at, f, sizeof(*f));
}

void fx_restore(struct fx *f)
{
	struct part p[PARTS_MAX];
	u32 n = parts_of(f, p);
	const u8 *from = f->snapshot;
	size_t at = 0;

	assert_non_null(from);
	for (u32 i = 0; i < n; at += p[i++].size)
		memcpy(p[i].at, from + at, p[i].size);
	memcpy(f, from + at, sizeof(*f));
}

/* ---- getting between two steps ---------------------------------------------------------------- */

static struct fx *trapped;

/* The processor's flag that asks for a trap after the next instruction. */
#define SINGLE_STEP 0x100

/* Behind a write that was let through: the next one traps again. */
static void on_step(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~SINGLE_STEP;
	if (trapped)
		mprotect(trapped->trap_page, SL_PAGE_SIZE, PROT_READ);
}

static void on_write(int sig, siginfo_t *info, void *context)
{
	struct fx *f = trapped;
	u8 *at = info->si_addr;

	if (!f || at < (u8 *)f->trap_page || at >= (u8 *)f->trap_page + SL_PAGE_SIZE) {
		/* Not ours: happens again, and then ends the program. */
		signal(sig, SIG_DFL);
		return;
	}
	mprotect(f->trap_page, SL_PAGE_SIZE, PROT_READ | PROT_WRITE);
	if (f->trap_skip) {
		/* Let it write, and come back behind it: see on_step(). */
		f->trap_skip--;
		((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] |= SINGLE_STEP;
		return;
	}
	trapped = NULL;
	f->traps++;
	f->trap_fn(f, NULL);
}

static void trap_install(void)
{
	/* No mask: a failed check leaves the handler with a jump. */
	struct sigaction sa = { .sa_sigaction = on_write, .sa_flags = SA_SIGINFO | SA_NODEFER };

	trapped = NULL;
	assert_int_equal(sigaction(SIGSEGV, &sa, NULL), 0);
	sa.sa_sigaction = on_step;
	assert_int_equal(sigaction(SIGTRAP, &sa, NULL), 0);
}

static void trap_at(struct fx *f, void *page, fx_guest_fn fn)
{
	assert_null(trapped);
	f->trap_page = page;
	f->trap_fn = fn;
	f->trap_skip = 0;
	trapped = f;
	assert_int_equal(mprotect(page, SL_PAGE_SIZE, PROT_READ), 0);
}

void fx_trap(struct fx *f, u64 hpa, fx_guest_fn fn)
{
	trap_at(f, frame(f, hpa), fn);
}

void fx_trap_after(struct fx *f, u64 hpa, u32 skip, fx_guest_fn fn)
{
	fx_trap(f, hpa, fn);
	f->trap_skip = skip;
}

void fx_trap_count(struct fx *f, u32 lp, fx_guest_fn fn)
{
	trap_at(f, f->env[lp].stats, fn);
}

void fx_trap_pamt(struct fx *f, u64 hpa, u32 level, fx_guest_fn fn)
{
	trap_at(f, (void *)((uintptr_t)fx_pamt(f, hpa, level) & ~SL_PAGE_MASK), fn);
}

u64 fx_count(const struct fx *f, enum sl_counter c)
{
	u64 sum = 0;

	for (u32 i = 0; i < FX_LPS; i++)
		sum += atomic_load(&f->env[i].stats->counter[c]);
	return sum;
}
