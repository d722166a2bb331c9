// SPDX-License-Identifier: MIT
/*
 * Fuzzing of the module's interface: bytes become SEAMCALLs, TDCALLs and guest accesses on a few
 * LPs, with operands that are mostly sensible and sometimes anything at all. A guest's bytes may
 * hold SEAMCALLs of other LPs while it is inside.
 *
 * Nothing here runs in parallel, so the module must never halt, whatever it is asked. All oracles
 * watch, and after each call from outside: the status is one that the leaf documents, and no invariant
 * at rest is broken. fuzz_hostile.c does the same with LPs that run in parallel.
 *
 * With libFuzzer (SL_LIBFUZZER defined) any bytes; without it a seeded run:
 * fuzz_calls [--seed S] [--runs N] [--first I] [--time SECONDS]. A failure prints one line that
 * reproduces it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/rng.h"
#include "module/leaf_status.h"
#include "module/machine.h"
#include "module/sept.h"
#include "oracle/oracle.h"

#define LPS      4
#define PACKAGES 2
#define PAGES    1500 /* the third 2 MB page is not complete */
#define TDS      2
#define VCPUS    3
#define DEPTH    3

/* Page numbers: TD k has its TDR at 16 * k, its vCPU n's TDVPR at 64 + 16 * k + n. */
#define TDR_AT(k)     hpa_at(16ull * (k))
#define VCPU_AT(k, n) hpa_at(64 + 16ull * (k) + (n))

#define SHARED_LIST   0x1000ull
#define SHARED_INFO   0x1200ull
#define SHARED_PARAMS 0x2000ull
#define SHARED_SOURCE 0x3000ull

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	const u8 *data;
	size_t size, at;
	struct sl_machine *m;
	struct oracle *oracle;
	void *arena;
	size_t arena_size;
	struct sl_lp *lp[LPS];
	bool inside[LPS]; /* a guest runs there */
	u32 depth;
	u64 clock;
	u64 calls;
	u64 next_page;
	u64 gpa; /* where there is a page table, perhaps */
	bool holding;
	bool later; /* release 1.5.25 */
} z;

static u64 hpa_at(u64 page)
{
	return SL_PRIVATE_BASE + page * SL_PAGE_SIZE;
}

static void die(const char *what, u64 a, u64 b)
{
	fprintf(stderr, "fuzz_calls: %s (0x%llx, 0x%llx)\n", what, (unsigned long long)a,
		(unsigned long long)b);
	abort();
}

#define REQUIRE(cond, a, b)                   \
	do {                                  \
		if (!(cond))                  \
			die(#cond, (a), (b)); \
	} while (0)

void hp_misuse(const char *what)
{
	die(what, 0, 0);
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static bool more(void)
{
	return z.at < z.size;
}

static u8 byte(void)
{
	return more() ? z.data[z.at++] : 0;
}

/* True once in @n, for bytes that are spread evenly. */
static bool rarely(u32 n)
{
	return byte() % n == n - 1;
}

static u64 word(void)
{
	u64 value = 0;

	for (u32 i = 0; i < 8; i++)
		value = value << 8 | byte();
	return value;
}

/* ---- env ------------------------------------------------------------------------------------ */

static u32 op_choose(struct sl_env *env, enum sl_choice what, u32 n)
{
	(void)env;
	(void)what;
	/* Failing random numbers are rare, and none fail once the input is used up. */
	return more() && rarely(32) ? n - 1 : 0;
}

static u64 op_now(struct sl_env *env)
{
	(void)env;
	return z.clock;
}

static void op_pause(struct sl_env *env)
{
	(void)env;
	die("the module paused", 0, 0);
}

static void op_wait_while(struct sl_env *env, const _Atomic u32 *at, u32 old)
{
	(void)env;
	(void)at;
	die("the module waits", old, 0);
}

static void op_violate(struct sl_env *env, enum sl_violation kind, const char *id, const char *text)
{
	(void)env;
	fprintf(stderr, "fuzz_calls: %s: %s: %s\n", sl_violation_name(kind), id, text);
	abort();
}

static const struct sl_env_ops ops = {
	.choose = op_choose,
	.now = op_now,
	.pause = op_pause,
	.wait_while = op_wait_while,
	.violate = op_violate,
};

static struct sl_stats stats;
static struct sl_env env = { .ops = &ops, .stats = &stats, .tsc_per_us = 1 };

/* ---- what each leaf may return ---------------------------------------------------------------- */

/* What 1.5.25 returns, as 1.5.01 would say it; 0 for what 1.5.01 has nothing of. */
static u64 without_news(u32 leaf, u64 st)
{
	u32 upper = (u32)(st >> 32), low = (u32)st;

	/* OP_STATE_INCORRECT and VCPU_STATE_INCORRECT carry the state. */
	if (upper == 0xC0000608 && low < 12)
		return (u64)upper << 32;
	if (upper == 0xC0000700 && (low == 2 || low == 4 || low == 8))
		return (u64)upper << 32;
	if (leaf == SEAMCALL_tdh_vp_init && st == 0xC000062100000000ull)
		return 0;
	if ((leaf == SEAMCALL_tdh_mem_page_demote || leaf == SEAMCALL_tdh_mem_page_promote) &&
	    st == 0x8000020600000000ull)
		return 0;
	if (leaf == SEAMCALL_tdh_mem_range_unblock && st == 0xC0000B0800000001ull)
		return 0xC0000B0800000000ull | TDX_OPERAND_ID_SEPT_TREE;
	return st;
}

static void check_status(u32 leaf, u64 st)
{
	REQUIRE(tdx_status_name(st) || leaf == SEAMCALL_tdh_vp_enter, leaf, st);
	/* A TDH.VP.ENTER that succeeds ends in a TD exit. */
	REQUIRE(st != 0 || leaf != SEAMCALL_tdh_vp_enter, leaf, st);
	if (z.later)
		st = without_news(leaf, st);
	if (!leaf_may_return(false, leaf, st))
		die("this leaf does not return this", leaf, st);
}

static void check_tdcall_status(u32 leaf, u64 st)
{
	if (!leaf_may_return(true, leaf, st))
		die("this TDCALL does not return this", leaf, st);
}

/* ---- state at rest ---------------------------------------------------------------------------- */

static void check_at_rest(void)
{
	static const struct oracle_claims claims = { 0 };

	REQUIRE(!sl_machine_halted(z.m), 0, 0);
	REQUIRE(!oracle_check_at_rest(z.oracle, NULL, &env, &claims), 0, 0);
}

/* ---- calls ---------------------------------------------------------------------------------- */

static u64 host_call(u32 lp, u64 rax, struct tdx_module_args *args)
{
	u64 st;

	z.calls++;
	st = seamcall(z.lp[lp], rax, args);
	check_status((u32)(rax & 0xFFFF), st);
	if (!z.depth && !z.holding)
		check_at_rest();
	return st;
}

#define HC(lp, leaf, ...) host_call(lp, SEAMCALL_##leaf, &(struct tdx_module_args){ __VA_ARGS__ })

/* ---- operands ------------------------------------------------------------------------------- */

static u64 any_page(void)
{
	u8 b = byte();

	if (b < 160)
		return hpa_at(b);
	if (b < 240)
		return hpa_at(512ull * (b & 3) + (b & 4 ? byte() : 0u));
	return hpa_at((u64)byte() << 8 | byte());
}

/* A page that was probably not used yet. */
static u64 new_page(void)
{
	return rarely(8) ? any_page() : hpa_at(128 + (z.next_page++ & 255));
}

static u64 any_tdr(void)
{
	return rarely(16) ? any_page() : TDR_AT(byte() % TDS);
}

static u64 any_vcpu(void)
{
	u8 b = byte();

	return rarely(16) ? any_page() : VCPU_AT(b & 1, (b >> 1) % VCPUS);
}

static u64 any_gpa(void)
{
	u8 b = byte();

	/* Mostly around one place, or nothing would ever meet. */
	if (b >= 64)
		return z.gpa + ((u64)(b & 3) << 12) + ((u64)(b >> 2 & 1) << 21);
	return (u64)(b & 3) << 12 | (u64)(b >> 2 & 3) << 21 | (u64)(b >> 4 & 1) << 30 |
	       (u64)(b >> 5 & 1) << 39 | (rarely(32) ? word() : 0);
}

static u64 any_page_info(u32 level)
{
	if (rarely(8))
		level = byte() & 7;
	return (any_gpa() & ~(SL_LEVEL_SIZE(level % 5) - 1)) | level;
}

/* Small pages mostly, large ones at times. */
static u32 leaf_level(void)
{
	return byte() % 4 == 0;
}

static u64 anything(void)
{
	switch (byte() & 7) {
	case 0:
		return any_page();
	case 1:
		return any_tdr();
	case 2:
		return any_vcpu();
	case 3:
		return any_page_info(byte() % 5);
	case 4:
		return byte();
	case 5:
		return ~0ull;
	case 6:
		return 1ull << (byte() & 63);
	default:
		return word();
	}
}

/* Now and then an operand is off by a bit, or is something else entirely. */
static u64 maybe(u64 good)
{
	if (!rarely(24))
		return good;
	return byte() & 1 ? good ^ 1ull << (byte() & 63) : anything();
}

/* A metadata field, mostly; of whatever it may be. */
static u64 any_field(void)
{
	static const u64 ids[] = {
		0x9110000300000011, 0x9110000300000011, 0x9110000300000010, 0x1110000300000017,
		0x1110000300000016, 0x9210000300000000, 0x9210000100000002, 0x8010000200000002,
		0x9010000200000001, 0xA020000000000000, 0xA020000300000006, 0xA02000000000000B,
		0xA02000000000000B, 0xA22000030000021F, 0x0A00000300000008, ~0ull,
	};

	return ids[byte() & 15] + (rarely(8) ? byte() & 3 : 0);
}

static u64 any_value(void)
{
	return rarely(4) ? word() : (u64)byte() << (byte() & 31);
}

static u64 any_mask(void)
{
	return rarely(3) ? word() : ~0ull;
}

static void write_params(void)
{
	u8 *p = sl_machine_shared(z.m, SHARED_PARAMS);

	memset(p, 0, 1024);
	p[0] = byte() & 1; /* debug */
	p[3] = rarely(4) ? 0x10 : 0;
	p[8] = 3;
	p[16] = (u8)(1 + byte() % 4);
	p[24] = 3 << 3 | 6;
	p[40] = 40;
	if (rarely(6)) {
		p[24] = 4 << 3 | 6;
		p[32] = byte() & 1;
	}
	if (rarely(6))
		p[(byte() << 8 | byte()) & 1023] = byte();
}

static void tdmr_list(void)
{
	u64 *list = sl_machine_shared(z.m, SHARED_LIST);
	u64 *info = sl_machine_shared(z.m, SHARED_INFO);

	list[0] = maybe(SHARED_INFO);
	info[0] = maybe(SL_PRIVATE_BASE);
	info[1] = maybe(1ull << 30);
}

static u64 pages_for(u32 leaf, u32 level)
{
	if (leaf == SEAMCALL_tdh_mem_page_aug && level == 1 && !rarely(8))
		return hpa_at(512 * (1 + (byte() & 1ull)));
	return new_page();
}

static void operands(u32 leaf, struct tdx_module_args *a)
{
	u32 level;

	switch (leaf) {
	case SEAMCALL_tdh_sys_config:
		tdmr_list();
		*a = (struct tdx_module_args){ .rcx = SHARED_LIST, .rdx = 1, .r8 = 32 };
		break;
	case SEAMCALL_tdh_sys_tdmr_init:
		a->rcx = SL_PRIVATE_BASE;
		break;
	case SEAMCALL_tdh_mng_create:
		a->rcx = any_tdr();
		a->rdx = 32u + (byte() & 7);
		break;
	case SEAMCALL_tdh_mng_init:
		write_params();
		a->rcx = any_tdr();
		a->rdx = SHARED_PARAMS;
		break;
	case SEAMCALL_tdh_mng_addcx:
		a->rcx = new_page();
		a->rdx = any_tdr();
		break;
	case SEAMCALL_tdh_mng_key_config:
	case SEAMCALL_tdh_mng_vpflushdone:
	case SEAMCALL_tdh_mng_key_freeid:
	case SEAMCALL_tdh_mem_track:
	case SEAMCALL_tdh_mr_finalize:
		a->rcx = any_tdr();
		break;
	case SEAMCALL_tdh_vp_create:
		a->rcx = any_vcpu();
		a->rdx = any_tdr();
		break;
	case SEAMCALL_tdh_vp_addcx:
		a->rcx = new_page();
		a->rdx = any_vcpu();
		break;
	case SEAMCALL_tdh_vp_init:
	case SEAMCALL_tdh_vp_flush:
	case SEAMCALL_tdh_vp_enter:
		a->rcx = any_vcpu();
		if (leaf == SEAMCALL_tdh_vp_enter && rarely(8))
			a->rcx |= 1ull << 52;
		/* Few x2APIC ids, so that some come twice. */
		a->r8 = byte() % 4;
		break;
	case SEAMCALL_tdh_sys_rd:
		a->rdx = any_field();
		break;
	case SEAMCALL_tdh_sys_info:
		*a = (struct tdx_module_args){
			.rcx = SHARED_SOURCE, .rdx = 1024, .r8 = SHARED_SOURCE + 1024, .r9 = 32
		};
		break;
	case SEAMCALL_tdh_mng_rd:
	case SEAMCALL_tdh_mng_wr:
	case SEAMCALL_tdh_vp_rd:
	case SEAMCALL_tdh_vp_wr:
		a->rcx = leaf == SEAMCALL_tdh_mng_rd || leaf == SEAMCALL_tdh_mng_wr ? any_tdr()
										    : any_vcpu();
		a->rdx = any_field();
		a->r8 = any_value();
		a->r9 = any_mask();
		break;
	case SEAMCALL_tdh_phymem_page_rdmd:
		a->rcx = any_page();
		break;
	case SEAMCALL_tdh_mem_sept_add:
		a->rcx = any_page_info(1u + byte() % 4);
		a->rdx = any_tdr() | (byte() & 1);
		a->r8 = new_page();
		a->r9 = a->r10 = a->r11 = ~0ull;
		break;
	case SEAMCALL_tdh_mem_page_demote:
		a->rcx = any_page_info(1);
		a->rdx = any_tdr() | (byte() & 1);
		a->r8 = new_page();
		break;
	case SEAMCALL_tdh_mem_page_promote:
	case SEAMCALL_tdh_mem_sept_remove:
		a->rcx = any_page_info(1u + (byte() % 4 == 0));
		a->rdx = any_tdr();
		break;
	case SEAMCALL_tdh_mem_rd:
	case SEAMCALL_tdh_mem_wr:
		a->rcx = any_gpa() | (byte() & 0xFF8u);
		a->rdx = any_tdr();
		a->r8 = word();
		break;
	case SEAMCALL_tdh_mem_page_add:
	case SEAMCALL_tdh_mem_page_aug:
	case SEAMCALL_tdh_mem_page_relocate:
	case SEAMCALL_tdh_mem_page_remove:
		level = leaf_level();
		a->rcx = any_page_info(level);
		a->rdx = any_tdr();
		a->r8 = pages_for(leaf, level);
		a->r9 = SHARED_SOURCE;
		break;
	case SEAMCALL_tdh_mem_range_block:
	case SEAMCALL_tdh_mem_range_unblock:
	case SEAMCALL_tdh_mem_sept_rd:
		a->rcx = any_page_info(rarely(3) ? byte() % 5 : leaf_level());
		a->rdx = any_tdr();
		break;
	case SEAMCALL_tdh_mr_extend:
		a->rcx = any_gpa() | (u64)(byte() & 15) << 8;
		a->rdx = any_tdr();
		break;
	case SEAMCALL_tdh_phymem_page_reclaim:
		a->rcx = any_page();
		break;
	case SEAMCALL_tdh_phymem_page_wbinvd:
		a->rcx = any_page() | (u64)(32 + (byte() & 31)) << 46;
		break;
	case SEAMCALL_tdh_phymem_cache_wb:
		a->rcx = byte() & 1;
		break;
	default:
		break;
	}
	a->rcx = maybe(a->rcx);
	a->rdx = maybe(a->rdx);
	a->r8 = maybe(a->r8);
	a->r9 = maybe(a->r9);
}

/* ---- guests --------------------------------------------------------------------------------- */

static void host_step(u32 lp);
static void page_way(u32 lp, u64 tdr, u64 at);

static void guest_tdcall(struct sl_lp *lp)
{
	static const u8 leaves[] = { 0, 1, 3, 6, 6, 6, 24, 23, 2, 2, 4, 5, 7, 8, 9, 10 };
	struct tdx_module_args a = { 0 };
	u64 rax = leaves[byte() & 15], st;
	u32 level = leaf_level();

	switch (rax) {
	case TDCALL_tdg_vp_vmcall:
		a.rcx = rarely(4) ? word() & 0xFFCC : 0xFC00;
		break;
	case TDCALL_tdg_mem_page_accept:
		a.rcx = any_page_info(level);
		break;
	case TDCALL_tdg_mem_page_attr_wr:
		a.rcx = any_page_info(level);
		a.rdx = maybe(0x8007);
		a.r8 = maybe(0);
		break;
	case TDCALL_tdg_mr_rtmr_extend:
		a.rcx = any_gpa() | (byte() & 63u) << 6;
		a.rdx = byte() % 5;
		break;
	case TDCALL_tdg_mr_report:
		a.rcx = any_gpa() | (byte() & 3u) << 10;
		a.rdx = any_gpa() | (byte() & 63u) << 6;
		break;
	case TDCALL_tdg_vp_cpuidve_set:
		a.rcx = byte() & 3;
		break;
	case TDCALL_tdg_vm_rd:
	case TDCALL_tdg_vm_wr:
	case TDCALL_tdg_vp_rd:
	case TDCALL_tdg_vp_wr:
		a.rdx = any_field();
		a.r8 = any_value();
		a.r9 = any_mask();
		if (rax == TDCALL_tdg_vm_rd)
			rax |= (byte() & 1u) << 16;
		break;
	default:
		a.rcx = any_gpa();
		break;
	}
	a.rcx = maybe(a.rcx);
	a.rdx = maybe(a.rdx);
	rax = rarely(32) ? maybe(word()) : rax;
	z.calls++;
	st = tdcall(lp, rax, &a);
	if (!sl_guest_exit_pending(lp) && !sl_guest_ve_injected(lp))
		check_tdcall_status((u32)(rax & 0xFFFF), st);
}

/* The same page again and again, as long as it is refused; sometimes a host wants it. */
static void guest_insists(struct sl_lp *lp)
{
	u64 info = any_page_info(byte() & 1);
	u8 b = byte();

	if (b & 1)
		sl_lp_interrupt_raise(lp);
	if ((b & 14) == 14)
		atomic_fetch_or(sept_walk(z.m, lp->tdcs, (struct gpa){ info & 0x7FFFFFE00000ull },
					  info & 7 ? 1 : 0)
					.entry,
				SEPT_HP);
	for (u32 left = 3; left && !sl_guest_exit_pending(lp); left--) {
		struct tdx_module_args a = { .rcx = info };
		u64 st = tdcall(lp, TDCALL_tdg_mem_page_accept, &a);

		if (!sl_guest_exit_pending(lp))
			check_tdcall_status(TDCALL_tdg_mem_page_accept, st);
		z.clock += 600000;
	}
}

/* A page around z.gpa that the guest can access; z.gpa if there is none. */
static u64 page_that_is_there(const struct sl_lp *lp)
{
	for (u64 i = 0; i < 8; i++) {
		u64 gpa = z.gpa + (i << SL_PAGE_SHIFT);
		u64 entry = sept_walk(z.m, lp->tdcs, (struct gpa){ gpa }, 0).copy;

		if (sept_is_leaf(entry) && (entry & SEPT_RWX) == SEPT_RWX)
			return gpa;
	}
	return z.gpa;
}

/* Measures, mostly with a page that is there. */
static void guest_measures(struct sl_lp *lp)
{
	u64 gpa = rarely(4) ? any_gpa() & ~SL_PAGE_MASK : page_that_is_there(lp);
	struct tdx_module_args a = { .rcx = gpa + 64 * (byte() & 63u), .rdx = byte() & 3 };
	u64 st;

	st = tdcall(lp, TDCALL_tdg_mr_rtmr_extend, &a);
	if (sl_guest_exit_pending(lp) || sl_guest_ve_injected(lp))
		return;
	check_tdcall_status(TDCALL_tdg_mr_rtmr_extend, st);
	if (rarely(8))
		sl_lp_interrupt_raise(lp);
	a = (struct tdx_module_args){ .rcx = gpa + 1024 * (byte() & 3u), .rdx = gpa };
	st = tdcall(lp, TDCALL_tdg_mr_report, &a);
	if (!sl_guest_exit_pending(lp))
		check_tdcall_status(TDCALL_tdg_mr_report, st);
}

/* Uses a page, and uses it again when a host has been at it in between. */
static void guest_uses(struct sl_lp *lp, u32 other)
{
	u64 info = any_page_info(leaf_level());
	struct tdx_module_args a = { .rcx = info };

	tdcall(lp, TDCALL_tdg_mem_page_accept, &a);
	if (!sl_guest_exit_pending(lp))
		sl_guest_access(lp, info & ~7ull, false, NULL);
	if (!z.inside[other])
		page_way(other, lp->tdr_hpa.v, info);
	if (!sl_guest_exit_pending(lp))
		sl_guest_access(lp, info & ~7ull, true, NULL);
}

static void guest_step(struct sl_lp *lp)
{
	u32 other = (sl_lp_index(lp) + 1 + byte() % (LPS - 1)) % LPS;
	u8 b;

	switch (byte() & 7) {
	case 0:
	case 1:
	case 2:
		guest_tdcall(lp);
		break;
	case 3:
		for (u32 left = 1 + byte() % 3; left && !sl_guest_exit_pending(lp); left--)
			sl_guest_access(lp, maybe(any_gpa() | (byte() & 0xFF8u)), byte() & 1, NULL);
		break;
	case 4:
		b = byte();
		if (b & 1)
			sl_guest_set_rip(lp, byte() & 3);
		else if (b & 2)
			guest_uses(lp, other);
		else
			guest_measures(lp);
		break;
	case 5:
		sl_lp_interrupt_raise(z.lp[other]);
		break;
	case 6:
		guest_insists(lp);
		break;
	default:
		if (!z.inside[other])
			host_step(other);
		break;
	}
}

static void guest_run(struct sl_guest *g, struct sl_lp *lp)
{
	struct tdx_module_args a = { 0 };
	u64 rax;

	(void)g;
	z.depth++;
	z.inside[sl_lp_index(lp)] = true;
	sl_guest_tdcall_completed(lp, &rax, &a);
	for (u32 left = 1 + byte() % 12; left && more() && !sl_guest_exiting(lp); left--)
		guest_step(lp);
	a = (struct tdx_module_args){ 0 };
	if (!sl_guest_exit_pending(lp))
		tdcall(lp, TDCALL_tdg_vp_vmcall, &a);
	REQUIRE(sl_guest_exit_pending(lp), 0, 0);
	z.inside[sl_lp_index(lp)] = false;
	z.depth--;
}

static struct sl_guest guest = { .run = guest_run };

/* ---- somebody else ---------------------------------------------------------------------------- */

/* A TD that is complete enough to have a S-EPT; NULL if @hpa is none. */
static struct tdcs *tdcs_at(u64 hpa)
{
	struct hpa page = { hpa };
	const struct tdr *t;

	if (hpa < SL_PRIVATE_BASE || hpa >= hpa_at(PAGES) ||
	    pamt_type(mem_pamt(z.m, page, 0)) != PAMT_TDR)
		return NULL;
	t = mem_frame(z.m, page);
	if (t->lifecycle != TD_KEYS_CONFIGURED || t->num_tdcx < TDCX_MIN ||
	    tdr_tdcs(z.m, t)->op_state == OP_UNINITIALIZED)
		return NULL;
	return tdr_tdcs(z.m, t);
}

static _Atomic u64 *entry_of(const struct tdcs *t)
{
	return sept_walk(z.m, t, (struct gpa){ any_gpa() & 0x7FFFFFFFFFFFull }, byte() % 4 ? 0 : 1)
		.entry;
}

/*
 * HOST_PRIORITY as a host leaves it that was refused once and did not come back. Without parallel
 * callers nobody is ever refused an entry.
 */
static void stale_priority(void)
{
	u64 tdr = any_tdr();
	struct tdcs *t = tdcs_at(tdr);

	if (!t)
		return;
	atomic_fetch_or(&mem_pamt(z.m, (struct hpa){ tdr }, byte() % 3)->lock.word, 2);
	atomic_fetch_or(&t->op_state_lock.word, 2);
	atomic_fetch_or(entry_of(t), SEPT_HP);
}

/* A lock that another LP holds for the time of one call. */
struct hold {
	enum { HOLD_NONE, HOLD_HP, HOLD_PLAIN, HOLD_MUTEX, HOLD_ENTRY } kind;
	void *at;
	bool ex;
};

static struct hold hold_hp(sharex_hp_t *l)
{
	struct hold h = { HOLD_HP, l, byte() & 1 };

	if (atomic_load(&l->word) & ~2u)
		return (struct hold){ 0 };
	atomic_fetch_add(&l->word, h.ex ? 1 : 4);
	return h;
}

static struct hold hold_plain(sharex_t *l)
{
	struct hold h = { HOLD_PLAIN, l, byte() & 1 };

	if (atomic_load(&l->word))
		return (struct hold){ 0 };
	atomic_store(&l->word, h.ex ? 1 : 2);
	return h;
}

static struct hold hold_mutex(hp_mutex_t *l)
{
	atomic_store(&l->word, 1);
	return (struct hold){ HOLD_MUTEX, l, true };
}

static struct hold hold_something(void)
{
	struct tdcs *t = tdcs_at(any_tdr());
	_Atomic u64 *e;
	u8 b = byte();

	switch (b & 7) {
	case 0:
		return hold_plain(b & 8 ? &z.m->kot_lock : &z.m->sys_lock);
	case 1:
		return hold_mutex(b & 8    ? &z.m->wbt[b >> 4 & 1].lock
				  : b & 32 ? &z.m->key_engine[b >> 4 & 1]
					   : &z.m->mem.tdmr_lock);
	case 2:
		return hold_hp(&mem_pamt(z.m, (struct hpa){ hpa_at(b >> 3) }, b % 3)->lock);
	case 3:
		return hold_hp(&mem_pamt(z.m, (struct hpa){ VCPU_AT(b >> 3 & 1, 0) }, 0)->lock);
	default:
		break;
	}
	if (!t)
		return (struct hold){ 0 };
	if ((b & 7) == 4)
		return hold_hp(&t->op_state_lock);
	if ((b & 7) == 5 && z.later)
		return hold_hp(&t->tree_lock_hp);
	if ((b & 7) < 7)
		return hold_plain((b & 7) == 5 ? &t->tree_lock : &t->epoch_lock);
	/* Before the TD runs, entries are held by nobody but PAGE.ADD, alone. */
	e = entry_of(t);
	if (t->op_state != OP_RUNNABLE || (atomic_load(e) & SEPT_TDEL))
		return (struct hold){ 0 };
	atomic_fetch_or(e, SEPT_TDEL);
	return (struct hold){ HOLD_ENTRY, e, true };
}

static void release(const struct hold *h)
{
	switch (h->kind) {
	case HOLD_HP:
		if (h->ex)
			atomic_fetch_and(&((sharex_hp_t *)h->at)->word, 2);
		else
			atomic_fetch_sub(&((sharex_hp_t *)h->at)->word, 4);
		break;
	case HOLD_PLAIN:
		if (h->ex)
			atomic_store(&((sharex_t *)h->at)->word, 0);
		else
			atomic_fetch_sub(&((sharex_t *)h->at)->word, 2);
		break;
	case HOLD_MUTEX:
		atomic_store(&((hp_mutex_t *)h->at)->word, 0);
		break;
	case HOLD_ENTRY:
		atomic_fetch_and((_Atomic u64 *)h->at, ~SEPT_TDEL);
		break;
	case HOLD_NONE:
		break;
	}
}

/* ---- steps of the host ------------------------------------------------------------------------ */

static void one_call(u32 lp)
{
	/* Most of the time what matters while TDs run. */
	static const u8 leaves[] = {
		0,  0,  0,  0,  0,  2,  3,  3,  3,  6,  6,  6,  6,  7,  7,  7,  16, 17,
		18, 19, 20, 21, 22, 25, 25, 28, 28, 29, 29, 29, 38, 38, 38, 39, 39, 39,
		40, 40, 41, 1,  4,  8,  9,  10, 31, 33, 35, 36, 45, 1,  4,  4,  10, 22,
		38, 7,  29, 18, 0,  0,  6,  3,  38, 18, 11, 11, 13, 13, 24, 24, 26, 26,
		27, 32, 34, 34, 43, 43, 13, 26, 5,  12, 14, 15, 15, 23, 23, 30,
	};
	struct tdx_module_args a = { 0 };
	u64 rax = leaves[byte() % sizeof(leaves)];
	bool calm = false;

	if (rarely(32))
		rax = byte() & 1 ? byte() : maybe(word());
	if (rax == SEAMCALL_tdh_vp_enter && z.depth >= DEPTH)
		rax = SEAMCALL_tdh_mem_track;
	if (rax == SEAMCALL_tdh_vp_enter && z.holding)
		calm = true;
	operands((u32)(rax & 0xFFFF), &a);
	if ((rax == SEAMCALL_tdh_mem_sept_add || rax == SEAMCALL_tdh_mem_page_promote ||
	     rax == SEAMCALL_tdh_mem_sept_remove || rax == SEAMCALL_tdh_mng_rd ||
	     rax == SEAMCALL_tdh_vp_rd) &&
	    byte() & 1)
		rax |= 1 << 16;
	if (rax == SEAMCALL_tdh_vp_enter)
		(void)sl_guest_bind(z.m, a.rcx & 0x000FFFFFFFFFF000ull,
				    calm || rarely(16) ? NULL : &guest);
	host_call(lp, rax, &a);
}

/* The same while somebody else holds a lock; no guest, which might do more than one thing. */
static void one_call_contended(u32 lp)
{
	struct hold h = { 0 };

	if (!z.holding)
		h = hold_something();
	if (h.kind == HOLD_NONE) {
		one_call(lp);
		return;
	}
	z.holding = true;
	one_call(lp);
	release(&h);
	z.holding = false;
	if (!z.depth)
		check_at_rest();
}

/* All of a TD at once, as far as it goes. */
static void build_td(u32 k, u32 lp)
{
	u64 tdr = TDR_AT(k), gpa = any_gpa();

	z.gpa = gpa & 0x7FFFFFE00000ull;
	HC(lp, tdh_mng_create, .rcx = tdr, .rdx = 40 + k);
	HC(0, tdh_mng_key_config, .rcx = tdr);
	HC(1, tdh_mng_key_config, .rcx = tdr);
	for (u32 i = 0; i < 6; i++)
		HC(lp, tdh_mng_addcx, .rcx = new_page(), .rdx = tdr);
	write_params();
	HC(lp, tdh_mng_init, .rcx = tdr, .rdx = SHARED_PARAMS);
	for (u32 n = 0; n < 1u + byte() % VCPUS; n++) {
		HC(lp, tdh_vp_create, .rcx = VCPU_AT(k, n), .rdx = tdr);
		for (u32 i = 0; i < 5; i++)
			HC(lp, tdh_vp_addcx, .rcx = new_page(), .rdx = VCPU_AT(k, n));
		HC(n % LPS, tdh_vp_init, .rcx = VCPU_AT(k, n));
	}
	for (u32 level = 3; level > 0; level--)
		HC(lp, tdh_mem_sept_add, .rcx = (gpa & ~(SL_LEVEL_SIZE(level) - 1)) | level,
		   .rdx = tdr, .r8 = new_page());
	HC(lp, tdh_mem_page_add, .rcx = gpa & ~0xFFFull, .rdx = tdr, .r8 = new_page(),
	   .r9 = SHARED_SOURCE);
	if (!rarely(8))
		HC(lp, tdh_mr_finalize, .rcx = tdr);
}

static void flush_all(u32 k)
{
	for (u32 n = 0; n < VCPUS; n++)
		for (u32 lp = 0; lp < LPS; lp++)
			if (!z.inside[lp])
				HC(lp, tdh_vp_flush, .rcx = VCPU_AT(k, n));
}

static void take_down(u32 k, u32 lp)
{
	u64 tdr = TDR_AT(k);

	flush_all(k);
	HC(lp, tdh_mng_vpflushdone, .rcx = tdr);
	for (u32 i = 0; i < LPS; i++)
		if (!z.inside[i])
			HC(i, tdh_phymem_cache_wb, .rcx = 0);
	HC(lp, tdh_mng_key_freeid, .rcx = tdr);
	if (byte() & 1)
		return;
	for (u32 page = 0; page < PAGES; page++) {
		struct pamt_entry *e = &z.m->mem.pamt[0][page];

		if ((pamt_type(e) != PAMT_NDA && pamt_owner(e).v == tdr) ||
		    (page % 512 == 0 && pamt_type(&z.m->mem.pamt[1][page / 512]) == PAMT_REG))
			HC(lp, tdh_phymem_page_reclaim, .rcx = hpa_at(page));
	}
	HC(lp, tdh_phymem_page_reclaim, .rcx = tdr);
}

/* Map, split, merge, move, block, track, remove: the way of a page. */
static void page_way(u32 lp, u64 tdr, u64 at)
{
	u64 big = (at & ~(SL_LEVEL_SIZE(1) - 1)) | 1;

	for (u32 left = 1 + byte() % 6; left; left--)
		switch (byte() % 11) {
		case 5:
			HC(lp, tdh_mem_page_demote, .rcx = big, .rdx = tdr, .r8 = new_page());
			break;
		case 6:
			HC(lp, tdh_mem_page_promote, .rcx = big, .rdx = tdr);
			break;
		case 7:
			HC(lp, tdh_mem_range_block, .rcx = big, .rdx = tdr);
			break;
		case 8:
			HC(lp, tdh_mem_sept_remove, .rcx = big, .rdx = tdr);
			break;
		case 9:
			HC(lp, tdh_mem_page_relocate, .rcx = at, .rdx = tdr, .r8 = new_page());
			break;
		case 10:
			HC(lp, tdh_mem_wr, .rcx = at & ~7ull, .rdx = tdr, .r8 = at);
			break;
		case 0:
			HC(lp, tdh_mem_page_aug, .rcx = at, .rdx = tdr,
			   .r8 = pages_for(SEAMCALL_tdh_mem_page_aug, at & 7));
			break;
		case 1:
			HC(lp, tdh_mem_range_block, .rcx = at, .rdx = tdr);
			break;
		case 2:
			HC(lp, tdh_mem_track, .rcx = tdr);
			break;
		case 3:
			HC(lp, tdh_mem_page_remove, .rcx = at, .rdx = tdr);
			break;
		default:
			HC(lp, tdh_mem_range_unblock, .rcx = at, .rdx = tdr);
			break;
		}
}

/* A large page from AUG to its pieces and back, with other things in between. */
static void resize_way(u32 lp)
{
	u64 tdr = any_tdr(), at = (z.gpa + SL_LEVEL_SIZE(1)) | 1;

	HC(lp, tdh_mem_page_aug, .rcx = at, .rdx = tdr,
	   .r8 = pages_for(SEAMCALL_tdh_mem_page_aug, 1));
	for (u32 round = 0; round < 2; round++) {
		HC(lp, tdh_mem_range_block, .rcx = at, .rdx = tdr);
		HC(lp, tdh_mem_track, .rcx = tdr);
		if (rarely(4))
			one_call(lp);
		if (round == 0)
			HC(lp, tdh_mem_page_demote, .rcx = at, .rdx = tdr, .r8 = new_page());
		else
			HC(lp, tdh_mem_page_promote, .rcx = at, .rdx = tdr);
		if (rarely(4))
			one_call_contended(lp);
	}
	if (byte() & 1)
		HC(lp, tdh_mem_page_remove, .rcx = at, .rdx = tdr);
}

/* A vCPU on the LP that it belongs to, a few times in a row. */
static void run_vcpu(void)
{
	u64 vcpu = any_vcpu();
	const struct tdvps *vp;
	u32 lp;

	if (sl_guest_bind(z.m, vcpu, &guest) || z.depth >= DEPTH)
		return;
	vp = mem_frame(z.m, (struct hpa){ vcpu });
	lp = atomic_load(&vp->assoc_lpid);
	if (lp >= LPS)
		lp = byte() % LPS;
	for (u32 left = 1 + byte() % 10; left && !z.inside[lp]; left--) {
		HC(lp, tdh_vp_enter, .rcx = vcpu);
		if (byte() & 1)
			sl_lp_interrupt_take(z.lp[lp]);
	}
}

static void host_step(u32 lp)
{
	switch (byte() & 31) {
	case 17:
		stale_priority();
		break;
	case 18:
	case 19:
	case 20:
	case 21:
		one_call_contended(lp);
		break;
	case 11:
	case 12:
	case 13:
	case 14:
	case 15:
	case 16:
		run_vcpu();
		break;
	case 0:
		build_td(byte() % TDS, lp);
		break;
	case 1:
		take_down(byte() % TDS, lp);
		break;
	case 2:
		sl_lp_interrupt_take(z.lp[lp]);
		break;
	case 3:
		sl_lp_interrupt_raise(z.lp[lp]);
		break;
	case 4:
		z.clock += (u64)byte() << 14;
		break;
	case 5:
		flush_all(byte() % TDS);
		break;
	case 6:
		if (rarely(3))
			z.clock += 1000000;
		sl_lp_set_platform(z.lp[lp], rarely(2) ? 1u << (byte() & 3) : 0);
		break;
	case 22:
		resize_way(lp);
		break;
	case 7:
	case 8:
	case 9:
	case 10:
		page_way(lp, any_tdr(), any_page_info(leaf_level()));
		break;
	default:
		one_call(lp);
		break;
	}
}

/* ---- one input ------------------------------------------------------------------------------ */

static void machine_up(u8 first)
{
	struct sl_machine_config cfg;
	size_t machine_size;

	sl_machine_config_init(&cfg);
	cfg.flavour = first & 1 ? SL_HARDENED : SL_PUBLISHED;
	cfg.release = first & 16 ? SL_RELEASE_1_5_25 : SL_RELEASE_1_5_01;
	z.later = first & 16;
	cfg.lps = LPS;
	cfg.packages = PACKAGES;
	cfg.private_pages = PAGES;
	cfg.contents = first & 2;
	cfg.hp_timeout = !(first & 4);
	cfg.zero_step_threshold = first & 8 ? 1 : 6;
	cfg.measurement = !(first & 16);
	cfg.interrupts = first & 32;
	machine_size = sl_align_up(sl_machine_arena_size(&cfg), SL_PAGE_SIZE);
	if (!z.arena) {
		z.arena_size = machine_size + oracle_size(&cfg);
		z.arena = mmap(NULL, z.arena_size, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (z.arena == MAP_FAILED)
			die("no memory", 0, 0);
	} else if (madvise(z.arena, z.arena_size, MADV_DONTNEED)) {
		die("madvise", 0, 0);
	}
	z.m = sl_machine_init(&cfg, z.arena, machine_size);
	z.oracle = oracle_init((u8 *)z.arena + machine_size, z.m);
	for (u32 i = 0; i < LPS; i++) {
		z.lp[i] = sl_machine_lp(z.m, i);
		sl_lp_set_env(z.lp[i], &env);
		z.inside[i] = false;
	}
	z.depth = 0;
	z.clock = 0;
	z.next_page = 0;
}

static void bring_up(void)
{
	u64 *list = sl_machine_shared(z.m, SHARED_LIST);
	u64 *info = sl_machine_shared(z.m, SHARED_INFO);
	struct tdx_module_args a;

	HC(0, tdh_sys_init, 0);
	for (u32 i = 0; i < LPS; i++)
		HC(i, tdh_sys_lp_init, 0);
	list[0] = SHARED_INFO;
	info[0] = SL_PRIVATE_BASE;
	info[1] = 1ull << 30;
	HC(0, tdh_sys_config, .rcx = SHARED_LIST, .rdx = 1, .r8 = 32);
	HC(0, tdh_sys_key_config, 0);
	HC(1, tdh_sys_key_config, 0);
	/* Without the checks after each of them. */
	for (u32 i = 0; i < 256; i++) {
		a = (struct tdx_module_args){ .rcx = SL_PRIVATE_BASE };
		seamcall(z.lp[0], SEAMCALL_tdh_sys_tdmr_init, &a);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	u8 first;

	z.data = data;
	z.size = size;
	z.at = 0;
	first = byte();
	machine_up(first);
	if (first & 0xE0)
		bring_up();
	if (first & 0xC0)
		build_td(0, 0);
	if ((first & 0xC0) == 0xC0)
		build_td(1, 1);
	while (more())
		host_step(byte() % LPS);
	check_at_rest();
	return 0;
}

#ifndef SL_LIBFUZZER

#define INPUT_MAX 2048

static struct {
	u64 seed;
	u64 index;
} now;

static void report(void)
{
	char line[128];
	int n = snprintf(line, sizeof(line),
			 "fuzz_calls: failed; to reproduce: fuzz_calls --seed %llu --first %llu "
			 "--runs 1\n",
			 (unsigned long long)now.seed, (unsigned long long)now.index);

	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}

static void on_signal(int sig)
{
	(void)sig;
	report();
	_exit(1);
}

/* In the sanitizers' run-time library, if there is one: they may end without a signal. */
extern void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void run_one(u64 seed, u64 index)
{
	struct sl_rng rng = { .state = seed ^ (index + 1) * 0xD1B54A32D192ED03ull };
	size_t size = 16 + sl_rng_below(&rng, sl_rng_below(&rng, 4) ? 400 : INPUT_MAX - 16);
	/* A copy of just this size, so that a sanitizer sees a read behind it. */
	u8 *exact = malloc(size);

	if (!exact)
		abort();
	for (size_t i = 0; i < size; i++)
		exact[i] = (u8)sl_rng_below(&rng, 256);
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
}

int main(int argc, char **argv)
{
	u64 runs = 2000, first = 0, seconds = 0;
	time_t end_at;

	for (int i = 1; i < argc; i += 2) {
		u64 *to = strcmp(argv[i], "--seed") == 0    ? &now.seed
			  : strcmp(argv[i], "--runs") == 0  ? &runs
			  : strcmp(argv[i], "--first") == 0 ? &first
			  : strcmp(argv[i], "--time") == 0  ? &seconds
							    : NULL;
		char *end = NULL;

		if (to && i + 1 < argc)
			*to = strtoull(argv[i + 1], &end, 0);
		if (!end || *end || end == argv[i + 1]) {
			fprintf(stderr, "usage: fuzz_calls [--seed S] [--runs N] [--first I] "
					"[--time SECONDS]\n");
			return 2;
		}
	}
	signal(SIGABRT, on_signal);
	signal(SIGALRM, on_signal);
	if (__sanitizer_set_death_callback) {
		__sanitizer_set_death_callback(report);
	} else {
		signal(SIGSEGV, on_signal);
		signal(SIGBUS, on_signal);
		signal(SIGFPE, on_signal);
		signal(SIGILL, on_signal);
	}
	end_at = time(NULL) + (time_t)seconds;
	for (now.index = first; now.index < first + runs; now.index++) {
		if (seconds && time(NULL) >= end_at)
			break;
		alarm(20);
		run_one(now.seed, now.index);
	}
	alarm(0);
	printf("fuzz_calls: %llu inputs, %llu calls\n", (unsigned long long)(now.index - first),
	       (unsigned long long)z.calls);
	return 0;
}

#endif
