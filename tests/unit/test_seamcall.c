// SPDX-License-Identifier: MIT
/* The kernel's calls, LPs of threads, and guests that are C functions. */
#include <errno.h>
#include <fenv.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <seamlab/hplock.h>
#include <seamlab/seamcall.h>

#include "base/env.h"

/* cmocka wants its own order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define LPS     2
#define PAGE(n) (SL_PRIVATE_BASE + (uint64_t)(n)*4096)
#define TDR     PAGE(0)
#define TDCX(n) PAGE(1 + (n))
#define TDVPR   PAGE(16)
#define TDVX(n) PAGE(17 + (n))
#define SEPT(n) PAGE(32 + (n))
#define MEM(n)  PAGE(64 + (n))
#define HKID    (SL_HKID_PRIVATE + 1)
#define GPA     0x200000ull
/* TDMR array, TDMR_INFO and TD_PARAMS in shared memory. */
#define TDMRS    0x1000ull
#define TDMR     0x2000ull
#define PARAMS   0x3000ull
#define ALL_REGS 0xFFECull /* all that a VMCALL may show: not RAX, RCX, RSP, RBP */

static struct sl_machine *machine;
static struct sl_guest *guest;

static uint64_t call(uint64_t fn, uint64_t rcx, uint64_t rdx, uint64_t r8)
{
	struct tdx_module_args args = { .rcx = rcx, .rdx = rdx, .r8 = r8 };

	return __seamcall(fn, &args);
}

static void done(uint64_t fn, uint64_t rcx, uint64_t rdx, uint64_t r8)
{
	uint64_t status = call(fn, rcx, rdx, r8);

	if (status)
		fail_msg("%s: 0x%llx", tdx_seamcall_name((uint32_t)fn), (unsigned long long)status);
}

static void bind(uint32_t lp)
{
	assert_int_equal(sl_lp_bind(sl_machine_lp(machine, lp)), 0);
}

static void bring_up(void)
{
	uint64_t *array = sl_machine_shared(machine, TDMRS);
	uint64_t *info = sl_machine_shared(machine, TDMR);

	done(SEAMCALL_tdh_sys_init, 0, 0, 0);
	for (uint32_t i = LPS; i-- > 0;) {
		bind(i);
		done(SEAMCALL_tdh_sys_lp_init, 0, 0, 0);
	}
	array[0] = TDMR;
	info[0] = SL_PRIVATE_BASE;
	info[1] = 1ull << 30;
	done(SEAMCALL_tdh_sys_config, TDMRS, 1, SL_HKID_PRIVATE);
	done(SEAMCALL_tdh_sys_key_config, 0, 0, 0);
	for (int i = 0; i < 256; i++)
		done(SEAMCALL_tdh_sys_tdmr_init, SL_PRIVATE_BASE, 0, 0);
}

/* A TD with one vCPU and S-EPT pages for the 2 MB at GPA; no #VE on PENDING pages if told so. */
static void build(bool ve_disable)
{
	uint64_t *params = sl_machine_shared(machine, PARAMS);

	done(SEAMCALL_tdh_mng_create, TDR, HKID, 0);
	done(SEAMCALL_tdh_mng_key_config, TDR, 0, 0);
	for (uint64_t i = 0; i < 6; i++)
		done(SEAMCALL_tdh_mng_addcx, TDCX(i), TDR, 0);
	memset(params, 0, 1024);
	params[0] = ve_disable ? 1ull << 28 : 0;
	params[1] = 3;
	params[2] = 1;
	params[3] = 6 | 3 << 3;
	params[5] = 80;
	done(SEAMCALL_tdh_mng_init, TDR, PARAMS, 0);
	done(SEAMCALL_tdh_vp_create, TDVPR, TDR, 0);
	for (uint64_t i = 0; i < 5; i++)
		done(SEAMCALL_tdh_vp_addcx, TDVX(i), TDVPR, 0);
	done(SEAMCALL_tdh_vp_init, TDVPR, 0, 0);
	for (uint64_t level = 3; level > 0; level--)
		done(SEAMCALL_tdh_mem_sept_add, (GPA & ~((1ull << (12 + 9 * level)) - 1)) | level,
		     TDR, SEPT(level));
	done(SEAMCALL_tdh_mr_finalize, TDR, 0, 0);
}

static void start(void (*fn)(void *arg), void *arg, bool ve_disable)
{
	build(ve_disable);
	guest = sl_guest_create(fn, arg, 0);
	assert_non_null(guest);
	assert_int_equal(sl_guest_bind(machine, TDVPR, guest), 0);
}

static uint64_t enter(struct tdx_module_args *args)
{
	*args = (struct tdx_module_args){ .rcx = TDVPR };
	return __seamcall_saved_ret(SEAMCALL_tdh_vp_enter, args);
}

static int setup(void **state)
{
	struct sl_machine_config cfg;

	(void)state;
	sl_machine_config_init(&cfg);
	cfg.lps = LPS;
	cfg.private_pages = 128;
	cfg.contents = true;
	machine = sl_machine_create(&cfg);
	if (!machine || sl_lp_bind(sl_machine_lp(machine, 0)))
		return 1;
	bring_up();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (sl_lp_bind(NULL))
		return 1;
	sl_guest_destroy(guest);
	guest = NULL;
	sl_machine_destroy(machine);
	machine = NULL;
	return 0;
}

/* ---- machines and LPs ---------------------------------------------------------------------- */

static void create_refuses(struct sl_machine_config cfg)
{
	errno = 0;
	assert_null(sl_machine_create(&cfg));
	assert_int_equal(errno, EINVAL);
}

static void test_create_checks_its_operands(void **state)
{
	struct sl_machine_config good, bad;

	(void)state;
	sl_machine_config_init(&good);
	good.private_pages = 1;
	create_refuses((bad = good, bad.lps = 0, bad));
	create_refuses((bad = good, bad.lps = SL_LPS_MAX + 1, bad));
	create_refuses((bad = good, bad.packages = 2, bad));
	create_refuses((bad = good, bad.packages = 0, bad));
	create_refuses((bad = good, bad.private_pages = 0, bad));
	create_refuses((bad = good, bad.private_pages = (1ull << 28) + 1, bad));
	create_refuses((bad = good, bad.flavour = (enum sl_flavour)7, bad));
	create_refuses((bad = good, bad.release = SL_RELEASES, bad));
	sl_machine_destroy(NULL);
	errno = 0;
	assert_null(sl_guest_create(NULL, NULL, SL_GUEST_STACK_MIN - 1));
	assert_int_equal(errno, EINVAL);
	assert_null(sl_guest_create(NULL, NULL, SIZE_MAX));
	assert_int_equal(errno, EINVAL);
	sl_guest_destroy(NULL);
}

static void *bind_0(void *arg)
{
	int *rc = arg;

	rc[0] = sl_lp_bind(sl_machine_lp(machine, 0));
	rc[1] = sl_lp_bind(sl_machine_lp(machine, 1));
	rc[2] = sl_lp_bound() == sl_machine_lp(machine, 1);
	rc[3] = sl_lp_bind(NULL);
	rc[4] = sl_lp_bound() == NULL;
	return NULL;
}

static void in_thread(void *(*fn)(void *arg), void *arg)
{
	pthread_t t;

	assert_int_equal(pthread_create(&t, NULL, fn, arg), 0);
	assert_int_equal(pthread_join(t, NULL), 0);
}

static void test_one_thread_has_an_lp(void **state)
{
	int rc[5];

	(void)state;
	assert_int_equal(sl_lp_bind(sl_machine_lp(machine, 0)), 0);
	in_thread(bind_0, rc);
	assert_int_equal(rc[0], -EBUSY);
	assert_int_equal(rc[1], 0);
	assert_int_equal(rc[2], 1);
	assert_int_equal(rc[3], 0);
	assert_int_equal(rc[4], 1);
	/* Free again; and one that takes another LP gives up its own. */
	bind(1);
	in_thread(bind_0, rc);
	assert_int_equal(rc[0], 0);
	assert_int_equal(rc[1], -EBUSY);
}

static void test_only_lps_of_created_machines(void **state)
{
	static _Alignas(4096) char arena[1 << 20];
	struct sl_machine_config cfg;
	struct sl_machine *m;

	(void)state;
	sl_machine_config_init(&cfg);
	cfg.private_pages = 1;
	assert_true(sl_machine_arena_size(&cfg) <= sizeof(arena));
	m = sl_machine_init(&cfg, arena, sizeof(arena));
	assert_int_equal(sl_lp_bind(sl_machine_lp(m, 0)), -EINVAL);
	assert_ptr_equal(sl_lp_bound(), sl_machine_lp(machine, 0));
}

static void test_without_lp_no_module(void **state)
{
	struct tdx_module_args args = { .rcx = TDR, .rdx = 5, .r12 = 7 }, before = args;

	(void)state;
	assert_int_equal(sl_lp_bind(NULL), 0);
	assert_true(__seamcall_saved_ret(SEAMCALL_tdh_mem_track, &args) ==
		    TDX_SEAMCALL_VMFAILINVALID);
	assert_true(__tdcall_saved_ret(TDCALL_tdg_vp_info, &args) ==
		    (TDX_OPERAND_INVALID | TDX_OPERAND_ID_RAX));
	assert_memory_equal(&args, &before, sizeof(args));
	/* With an LP, but outside a guest. */
	bind(0);
	assert_true(__tdcall(TDCALL_tdg_vp_info, &args) ==
		    (TDX_OPERAND_INVALID | TDX_OPERAND_ID_RAX));
}

struct finding {
	int count;
	char text[128];
};

static void found(void *ctx, struct sl_lp *lp, const char *kind, const char *where,
		  const char *text)
{
	struct finding *f = ctx;

	f->count++;
	snprintf(f->text, sizeof(f->text), "%u %s %s: %s", sl_lp_index(lp), kind, where, text);
}

static void test_findings_are_handed_on(void **state)
{
	struct finding f = { 0 };
	hp_mutex_t word = { 0 };

	(void)state;
	sl_machine_on_finding(machine, found, &f);
	bind(1);
	env_violate(sl_lp_env(sl_lp_bound()), SL_VIOLATION_MODULE_HALT, "a flow", "page %d", 5);
	assert_int_equal(f.count, 1);
	assert_string_equal(f.text, "1 module-halt a flow: page 5");
	/* A lock word says what happened; on which LP is known from the thread. */
	hp_mutex_unlock(&word);
	assert_int_equal(f.count, 2);
	assert_memory_equal(f.text, "1 module-halt lock word: ", 25);
}

/* ---- registers ------------------------------------------------------------------------------ */

static void fill(struct tdx_module_args *args, uint64_t from)
{
	uint64_t *r = (uint64_t *)args;

	for (size_t i = 0; i < sizeof(*args) / sizeof(*r); i++)
		r[i] = from + i;
}

static void show_registers(void *arg)
{
	struct tdx_module_args *back = arg;

	fill(&back[0], 100);
	back[0].rcx = ALL_REGS;
	__tdcall_saved_ret(TDCALL_tdg_vp_vmcall, &back[0]);
	fill(&back[1], 200);
	back[1].rcx = ALL_REGS;
	__tdcall_ret(TDCALL_tdg_vp_vmcall, &back[1]);
	fill(&back[2], 300);
	back[2].rcx = ALL_REGS;
	__tdcall(TDCALL_tdg_vp_vmcall, &back[2]);
}

/* Positions in the structure: RCX is 0, RDX 1, R8 to R11 2 to 5, the rest 6 to 12. */
static void expect(const struct tdx_module_args *args, uint64_t head, uint64_t tail, bool tail_zero)
{
	const uint64_t *r = (const uint64_t *)args;

	for (uint64_t i = 1; i < 13; i++)
		assert_int_equal(r[i], i < 6 ? head + i : tail_zero ? 0 : tail + i);
}

static void test_registers_of_each_form(void **state)
{
	struct tdx_module_args back[3], host;

	(void)state;
	start(show_registers, back, true);
	fill(&host, 0);
	host.rcx = TDVPR;
	assert_true(__seamcall_saved_ret(SEAMCALL_tdh_vp_enter, &host) == EXIT_REASON_TDCALL);
	assert_int_equal(host.rcx, ALL_REGS);
	expect(&host, 100, 100, false);
	/* Back to the guest go all registers of the host; from the guest the first six. */
	fill(&host, 500);
	host.rcx = TDVPR;
	assert_true(__seamcall_saved_ret(SEAMCALL_tdh_vp_enter, &host) == EXIT_REASON_TDCALL);
	expect(&back[0], 500, 500, false);
	expect(&host, 200, 0, true);
	/* _ret on the host's side: the first six in and out, the rest of the structure untouched. */
	fill(&host, 600);
	host.rcx = TDVPR;
	assert_true(__seamcall_ret(SEAMCALL_tdh_vp_enter, &host) == EXIT_REASON_TDCALL);
	expect(&back[1], 600, 200, false);
	expect(&host, 300, 600, false);
	/* Plain on both sides: nothing comes back. */
	fill(&host, 700);
	host.rcx = TDVPR;
	assert_true(__seamcall(SEAMCALL_tdh_vp_enter, &host) == EXIT_REASON_TDCALL);
	expect(&back[2], 300, 300, false);
	assert_int_equal(back[2].rcx, ALL_REGS);
	expect(&host, 700, 700, false);
	assert_int_equal(host.rcx, TDVPR);
	assert_true(sl_guest_returned(guest));
}

/* ---- guests ----------------------------------------------------------------------------------- */

struct story {
	int at;
	uint64_t status, value;
	enum sl_access access;
	struct tdx_module_args args;
	struct sl_lp *lp[4];
	uint64_t rip[4]; /* or other values */
	int rc;
	_Atomic int flag;
};

static void access_then_accept(void *arg)
{
	struct story *s = arg;

	s->at = 1;
	s->access = sl_guest_store(GPA + 8, 42);
	s->at = 2;
	__tdcall_ret(TDCALL_tdg_vp_veinfo_get, &s->args);
	s->args.rcx = s->args.r9 & ~4095ull;
	s->status = __tdcall(TDCALL_tdg_mem_page_accept, &s->args);
	sl_guest_store(GPA + 8, 42);
	sl_guest_load(GPA + 8, &s->value);
}

static void test_access_is_left_and_resumed(void **state)
{
	struct tdx_module_args args;
	struct story s = { 0 };

	(void)state;
	/* #VE goes to the guest: it accepts in its own time. */
	start(access_then_accept, &s, false);
	for (int i = 0; i < 2; i++) {
		assert_true(enter(&args) == EXIT_REASON_EPT_VIOLATION);
		assert_int_equal(args.r8, GPA);
		assert_int_equal(s.at, 1);
	}
	done(SEAMCALL_tdh_mem_page_aug, GPA, TDR, MEM(0));
	assert_true(enter(&args) == EXIT_REASON_TDCALL);
	assert_int_equal(args.r11, 12);
	assert_int_equal(s.at, 2);
	assert_int_equal(s.access, SL_ACCESS_VE);
	assert_int_equal(s.args.r9, GPA + 8);
	assert_int_equal(s.status, 0);
	assert_int_equal(s.value, 42);
	assert_true(sl_guest_returned(guest));
	/* It stays halted. */
	assert_true(enter(&args) == EXIT_REASON_TDCALL);
}

static void accept_and_use(void *arg)
{
	struct story *s = arg;

	s->args = (struct tdx_module_args){ .rcx = GPA };
	s->at = 1;
	s->status = __tdcall(TDCALL_tdg_mem_page_accept, &s->args);
	s->at = 2;
	s->rc = sl_lp_bind(NULL);
	s->access = sl_guest_store(GPA + 16, 77);
	sl_guest_load(GPA + 16, &s->value);
	s->at = __seamcall(SEAMCALL_tdh_mem_track, &s->args) == TDX_SEAMCALL_UD ? 3 : 4;
}

static void test_tdcall_is_left_and_resumed(void **state)
{
	struct tdx_module_args args;
	struct story s = { 0 };

	(void)state;
	start(accept_and_use, &s, true);
	/* Nothing there to accept: an exit, again and again, with the guest inside its TDCALL. */
	for (int i = 0; i < 3; i++) {
		assert_true(enter(&args) == EXIT_REASON_EPT_VIOLATION);
		assert_int_equal(s.at, 1);
		assert_int_equal(args.rdx & 0xF, TDX_EEQ_ACCEPT);
	}
	done(SEAMCALL_tdh_mem_page_aug, GPA, TDR, MEM(0));
	assert_true(enter(&args) == EXIT_REASON_TDCALL);
	assert_int_equal(s.at, 3);
	assert_int_equal(s.status, 0);
	assert_int_equal(s.args.rcx, GPA);
	assert_int_equal(s.rc, -EPERM);
	assert_int_equal(s.access, SL_ACCESS_OK);
	assert_int_equal(s.value, 77);
}

static void accepts_on_ve(void *arg)
{
	struct story *s = arg;

	s->at++;
	__tdcall_ret(TDCALL_tdg_vp_veinfo_get, &s->args);
	s->args.rcx = s->args.r9 & ~4095ull;
	s->rc = (int)__tdcall(TDCALL_tdg_mem_page_accept, &s->args);
}

/* A TDCALL with an operand in PENDING memory: without a handler, with one; then an access. */
static void extend_pending(void *arg)
{
	struct story *s = arg;
	struct tdx_module_args args = { .rcx = GPA, .rdx = 2 };

	s->rip[0] = __tdcall_saved_ret(TDCALL_tdg_mr_rtmr_extend, &args);
	s->rip[1] = args.rcx;
	__tdcall_ret(TDCALL_tdg_vp_veinfo_get, &args);
	s->rip[2] = args.r9;
	sl_guest_set_ve_handler(guest, accepts_on_ve);
	args = (struct tdx_module_args){ .rcx = GPA, .rdx = 2 };
	s->status = __tdcall_saved_ret(TDCALL_tdg_mr_rtmr_extend, &args);
	s->rip[3] = (uint64_t)s->at;
	s->access = sl_guest_store(GPA + 4096, 3);
	sl_guest_load(GPA + 4096, &s->value);
}

static void test_ve_handler_accepts_and_the_instruction_begins_again(void **state)
{
	struct tdx_module_args args;
	struct story s = { 0 };

	(void)state;
	start(extend_pending, &s, false);
	done(SEAMCALL_tdh_mem_page_aug, GPA, TDR, MEM(0));
	/* The second page is not there at first. */
	assert_true(enter(&args) == EXIT_REASON_EPT_VIOLATION);
	assert_int_equal(s.rip[0], TDCALL_tdg_mr_rtmr_extend);
	assert_int_equal(s.rip[1], GPA);
	assert_int_equal(s.rip[2], GPA);
	assert_int_equal(s.status, 0);
	assert_int_equal(s.rip[3], 1);
	assert_int_equal(s.rc, 0);
	done(SEAMCALL_tdh_mem_page_aug, GPA + 4096, TDR, MEM(1));
	assert_true(enter(&args) == EXIT_REASON_TDCALL);
	assert_int_equal(s.at, 2);
	assert_int_equal(s.access, SL_ACCESS_OK);
	assert_int_equal(s.value, 3);
}

static void wander(void *arg)
{
	struct story *s = arg;
	struct tdx_module_args args = { .rcx = GPA };

	s->lp[0] = sl_lp_bound();
	s->status = __tdcall(TDCALL_tdg_mem_page_accept, &args);
	s->lp[1] = sl_lp_bound();
	s->access = sl_guest_load(GPA, &s->value);
	s->lp[2] = sl_lp_bound();
}

static void *enter_on_1(void *arg)
{
	struct tdx_module_args args;

	bind(1);
	*(uint64_t *)arg = enter(&args);
	assert_int_equal(sl_lp_bind(NULL), 0);
	return NULL;
}

static void test_guest_moves_to_another_thread(void **state)
{
	struct tdx_module_args args;
	struct story s = { 0 };
	uint64_t status = 0;

	(void)state;
	start(wander, &s, true);
	assert_true(enter(&args) == EXIT_REASON_EPT_VIOLATION);
	done(SEAMCALL_tdh_vp_flush, TDVPR, 0, 0);
	done(SEAMCALL_tdh_mem_page_aug, GPA, TDR, MEM(0));
	in_thread(enter_on_1, &status);
	assert_int_equal(status, EXIT_REASON_TDCALL);
	assert_ptr_equal(s.lp[0], sl_machine_lp(machine, 0));
	assert_ptr_equal(s.lp[1], sl_machine_lp(machine, 1));
	assert_ptr_equal(s.lp[2], sl_machine_lp(machine, 1));
	assert_int_equal(s.status, 0);
	assert_int_equal(s.access, SL_ACCESS_OK);
	assert_ptr_equal(sl_lp_bound(), sl_machine_lp(machine, 0));
}

static void spin(void *arg)
{
	struct story *s = arg;

	while (!atomic_load(&s->flag))
		sl_guest_pause();
	s->at = 1;
}

static void *run_spinner(void *arg)
{
	struct tdx_module_args args;
	struct story *s = arg;

	bind(1);
	while (!sl_guest_returned(guest)) {
		s->status = enter(&args);
		sl_lp_interrupt_take(sl_lp_bound());
	}
	assert_int_equal(sl_lp_bind(NULL), 0);
	return NULL;
}

static void test_interrupt_ends_a_waiting_loop(void **state)
{
	struct sl_lp *other = sl_machine_lp(machine, 1);
	struct story s = { 0 };
	pthread_t t;

	(void)state;
	start(spin, &s, true);
	done(SEAMCALL_tdh_vp_flush, TDVPR, 0, 0);
	assert_int_equal(pthread_create(&t, NULL, run_spinner, &s), 0);
	for (int i = 0; i < 50; i++) {
		sl_lp_interrupt_raise(other);
		sl_lp_interrupt_wait(other, sl_lp_env(sl_lp_bound()));
	}
	assert_int_equal(s.at, 0);
	atomic_store(&s.flag, 1);
	assert_int_equal(pthread_join(t, NULL), 0);
	assert_int_equal(s.at, 1);
	assert_int_equal(s.status, EXIT_REASON_TDCALL);
}

static void interrupted_calls(void *arg)
{
	struct story *s = arg;
	struct tdx_module_args args = { 0 };

	s->at = 1;
	s->status = __tdcall_ret(TDCALL_tdg_vp_info, &args);
	s->at = 2;
}

static void test_interrupt_comes_in_front_of_a_tdcall(void **state)
{
	struct tdx_module_args args;
	struct story s = { 0 };

	(void)state;
	start(interrupted_calls, &s, true);
	sl_lp_interrupt_raise(sl_lp_bound());
	assert_true(enter(&args) == EXIT_REASON_EXTERNAL_INTERRUPT);
	assert_int_equal(s.at, 1);
	assert_true(sl_lp_interrupt_take(sl_lp_bound()));
	assert_true(enter(&args) == EXIT_REASON_TDCALL);
	assert_int_equal(s.at, 2);
	assert_int_equal(s.status, 0);
}

static void double_fault(void *arg)
{
	struct story *s = arg;

	/* A second #VE before the first one's information was read. */
	s->access = sl_guest_store(GPA, 1);
	s->at = 1;
	sl_guest_store(GPA, 1);
	s->at = 2;
}

static void test_from_a_double_fault_there_is_no_way_back(void **state)
{
	struct tdx_module_args args;
	struct story s = { 0 };

	(void)state;
	start(double_fault, &s, false);
	done(SEAMCALL_tdh_mem_page_aug, GPA, TDR, MEM(0));
	assert_true((enter(&args) & TDX_STATUS_CLASS_MASK) == TDX_NON_RECOVERABLE_VCPU);
	assert_int_equal(s.access, SL_ACCESS_VE);
	assert_int_equal(s.at, 1);
	assert_true((enter(&args) & TDX_STATUS_CLASS_MASK) == TDX_VCPU_STATE_INCORRECT);
	assert_int_equal(s.at, 1);
}

static void at_rips(void *arg)
{
	struct story *s = arg;
	struct tdx_module_args args = { .rcx = GPA };

	__tdcall(TDCALL_tdg_mem_page_accept, &args);
	s->rip[0] = sl_guest_rip(sl_lp_bound());
	/* One call in the code, whatever the compiler thinks of loops. */
	for (volatile int i = 1; i < 3; i++) {
		sl_guest_load(GPA, &s->value);
		s->rip[i] = sl_guest_rip(sl_lp_bound());
	}
	sl_guest_pause();
	s->rip[3] = sl_guest_rip(sl_lp_bound());
}

static void test_each_instruction_has_a_rip(void **state)
{
	struct tdx_module_args args;
	struct story s = { 0 };
	uint64_t fn = (uint64_t)(uintptr_t)at_rips;

	(void)state;
	start(at_rips, &s, true);
	done(SEAMCALL_tdh_mem_page_aug, GPA, TDR, MEM(0));
	assert_true(enter(&args) == EXIT_REASON_TDCALL);
	assert_int_equal(s.rip[1], s.rip[2]);
	assert_true(fn < s.rip[0] && s.rip[0] < s.rip[3] && s.rip[3] < fn + 4096);
	assert_true(s.rip[0] != s.rip[1]);
}

static void sets_rounding(void *arg)
{
	struct story *s = arg;
	struct tdx_module_args args = { .rcx = GPA };

	s->at = fegetround();
	fesetround(FE_UPWARD);
	__tdcall(TDCALL_tdg_mem_page_accept, &args);
	s->rc = fegetround();
}

static void test_each_stack_has_its_own_rounding(void **state)
{
	struct tdx_module_args args;
	struct story s = { 0 };

	(void)state;
	start(sets_rounding, &s, true);
	fesetround(FE_DOWNWARD);
	assert_true(enter(&args) == EXIT_REASON_EPT_VIOLATION);
	assert_int_equal(fegetround(), FE_DOWNWARD);
	fesetround(FE_TONEAREST);
	done(SEAMCALL_tdh_mem_page_aug, GPA, TDR, MEM(0));
	assert_true(enter(&args) == EXIT_REASON_TDCALL);
	assert_int_equal(s.at, FE_TONEAREST);
	assert_int_equal(s.rc, FE_UPWARD);
	assert_int_equal(fegetround(), FE_TONEAREST);
}

static int deep(struct story *s, int left)
{
	volatile char room[128];

	room[0] = (char)left;
	if (!left) {
		struct tdx_module_args args = { .rcx = GPA };

		return (int)__tdcall(TDCALL_tdg_mem_page_accept, &args);
	}
	return deep(s, left - 1) + room[0];
}

static void deep_guest(void *arg)
{
	struct story *s = arg;

	s->rc = deep(s, 100);
	s->at = 1;
}

static void test_frames_of_a_left_guest_stay(void **state)
{
	struct tdx_module_args args;
	struct story s = { 0 };

	(void)state;
	start(deep_guest, &s, true);
	for (int i = 0; i < 5; i++)
		assert_true(enter(&args) == EXIT_REASON_EPT_VIOLATION);
	assert_int_equal(s.at, 0);
	done(SEAMCALL_tdh_mem_page_aug, GPA, TDR, MEM(0));
	assert_true(enter(&args) == EXIT_REASON_TDCALL);
	assert_int_equal(s.rc, 100 * 101 / 2);
}

int main(void)
{
#define WITH_MACHINE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create_checks_its_operands),
		WITH_MACHINE(test_one_thread_has_an_lp),
		WITH_MACHINE(test_only_lps_of_created_machines),
		WITH_MACHINE(test_without_lp_no_module),
		WITH_MACHINE(test_findings_are_handed_on),
		WITH_MACHINE(test_registers_of_each_form),
		WITH_MACHINE(test_access_is_left_and_resumed),
		WITH_MACHINE(test_tdcall_is_left_and_resumed),
		WITH_MACHINE(test_ve_handler_accepts_and_the_instruction_begins_again),
		WITH_MACHINE(test_guest_moves_to_another_thread),
		WITH_MACHINE(test_interrupt_ends_a_waiting_loop),
		WITH_MACHINE(test_interrupt_comes_in_front_of_a_tdcall),
		WITH_MACHINE(test_from_a_double_fault_there_is_no_way_back),
		WITH_MACHINE(test_each_instruction_has_a_rip),
		WITH_MACHINE(test_each_stack_has_its_own_rounding),
		WITH_MACHINE(test_frames_of_a_left_guest_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
