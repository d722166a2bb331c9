/* SPDX-License-Identifier: MIT */
/*
 * A small machine for tests of the module: brought up, TDs built step by step, guests that are C
 * functions, and every SEAMCALL checked for what it must never do: leave a lock behind, or write a
 * register that is not one of its outputs.
 *
 * Expected statuses are written down here as numbers, not taken from the module's tables.
 */
#ifndef SL_TESTS_UNIT_MODULE_FIXTURE_H
#define SL_TESTS_UNIT_MODULE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/env.h"
#include "base/stats.h"
#include "module/machine.h"
#include "module/plan.h"
#include "module/sept.h"

/* ---- statuses ------------------------------------------------------------------------------- */

/* Operand ids. */
enum {
	R_RAX = 0,
	R_RCX = 1,
	R_RDX = 2,
	R_R8 = 8,
	R_R9 = 9,
	R_R10 = 10,
	R_R11 = 11,
	R_R12 = 12,
	R_R13 = 13,
	R_ATTRIBUTES = 64,
	R_XFAM = 65,
	R_EXEC_CONTROLS = 66,
	R_EPTP_CONTROLS = 67,
	R_MAX_VCPUS = 68,
	R_CPUID_CONFIG = 69,
	R_TSC_FREQUENCY = 70,
	R_NUM_L2_VMS = 71,
	R_ARCH_CAPABILITIES = 72,
	R_TDR = 0x80,
	R_SEPT_TREE = 0x92,
	R_RTMR = 0xA8,
	R_TD_EPOCH = 0xA9,
	R_OP_STATE = 0xAC,
	R_METADATA_FIELD = 0xB0,
	R_KOT = 0xBA,
	R_KET = 0xBB,
	R_WBCACHE = 0xBC,
};

#define ST_SUCCESS                 0x0000000000000000ull
#define ST_BUSY(op)                (0x8000020000000000ull + (op))
#define ST_INVALID(op)             (0xC000010000000000ull + (op))
#define ST_RANGE(op)               (0xC000010100000000ull + (op))
#define ST_METADATA(op)            (0xC000030000000000ull + (op))
#define ST_INTERRUPTED_RESUMABLE   0x8000000300000000ull
#define ST_INTERRUPTED_RESTARTABLE 0x8000000400000000ull
#define ST_PREVIOUS_TLB_EPOCH_BUSY 0x8000020100000000ull
#define ST_SYS_BUSY                0x8000020200000000ull
#define ST_RND_NO_ENTROPY          0x8000020300000000ull
#define ST_HP_TIMEOUT              0x9000020500000000ull
#define ST_MISSING_PAIR(op)        (0x8000030800000000ull + (op))
#define ST_PAGE_TAKEN(op)          (0xC000030300000000ull + (op))
#define ST_RANGE_NOT_FREE          0xC000030400000001ull
#define ST_NO_PAIR                 0xC000030500000001ull
#define ST_PAIR_NOT_EMPTY(i)       (0xC000030600000000ull + (i))
#define ST_ASSOCIATED_PAGES_EXIST  0xC000040000000000ull
#define ST_SYS_INIT_NOT_PENDING    0xC000050000000000ull
#define ST_SYS_LP_INIT_NOT_DONE    0xC000050200000000ull
#define ST_SYS_LP_INIT_DONE        0xC000050300000000ull
#define ST_SYS_NOT_READY           0xC000050500000000ull
#define ST_SYS_SHUTDOWN            0xC000050600000000ull
#define ST_SYS_KEY_NOT_PENDING     0xC000050700000000ull
#define ST_SYS_LP_INIT_NOT_PENDING 0xC000050B00000000ull
#define ST_SYS_CONFIG_NOT_PENDING  0xC000050C00000000ull
#define ST_TD_FATAL                0xE000060400000000ull
#define ST_TD_NON_DEBUG            0xC000060500000000ull
#define ST_TDCS_NOT_ALLOCATED      0xC000060600000000ull
#define ST_LIFECYCLE               0xC000060700000000ull
#define ST_OP_STATE                0xC000060800000000ull
#define ST_NO_VCPUS                0xC000060900000000ull
#define ST_TDCX_NUM                0xC000061000000000ull
#define ST_VCPU_STATE              0xC000070000000000ull
#define ST_VCPU_ASSOCIATED         0x8000070100000000ull
#define ST_VCPU_NOT_ASSOCIATED     0x8000070200000000ull
#define ST_NO_VE_INFO              0xC000070400000000ull
#define ST_MAX_VCPUS_EXCEEDED      0xC000070500000000ull
#define ST_TSC_ROLLBACK            0xC000070600000000ull
#define ST_KEY_GENERATION_FAILED   0x8000080000000000ull
#define ST_TD_KEYS                 0x8000081000000000ull
#define ST_KEY_CONFIGURED          0x0000081500000000ull
#define ST_WBCACHE_NOT_COMPLETE    0x8000081700000000ull
#define ST_HKID_NOT_FREE           0xC000082000000000ull
#define ST_NO_HKID_READY           0x0000082100000000ull
#define ST_WBCACHE_RESUME          0xC000082300000000ull
#define ST_FLUSHVP_NOT_DONE        0x8000082400000000ull
#define ST_LIMIT_CPUID             0xC000090100000000ull
#define ST_INCONSISTENT_MSR(msr)   (0xC000092000000000ull + (msr))
#define ST_INCORRECT_MSR(msr)      (0xC000092100000000ull + (msr))
#define ST_INVALID_TDMR(i)         (0xC0000A0000000000ull + (i))
#define ST_TDMR_OUTSIDE(i)         (0xC0000A0200000000ull + (i))
#define ST_TDMR_ALREADY            0x00000A0300000000ull
#define ST_WALK_FAILED             0xC0000B0000000001ull
#define ST_NOT_PRESENT(op)         (0xC0000B0300000000ull + (op))
#define ST_NOT_BLOCKED             0xC0000B0600000001ull
#define ST_ALREADY_BLOCKED         0x00000B0700000001ull
#define ST_NOT_TRACKED(op)         (0xC0000B0800000000ull + (op))
#define ST_PROMOTE_CONDITIONS      0xC0000B0900000001ull
#define ST_ALREADY_ACCEPTED(level) (0x00000B0A00000000ull + (level))
#define ST_SIZE_MISMATCH(level)    (0xC0000B0B00000000ull + (level))
#define ST_ENTRY_STATE             0xC0000B0D00000001ull
#define ST_PAGE_NOT_FREE           0xC0000B0E00000001ull
#define ST_FIELD_ID                0xC0000C0000000000ull
#define ST_FIELD_NOT_WRITABLE      0xC0000C0100000000ull
#define ST_FIELD_NOT_READABLE      0xC0000C0200000000ull
#define ST_FIELD_VALUE             0xC0000C0300000000ull
#define ST_WR_MASK                 0xC0000C0A00000000ull
#define ST_FIRST_FIELD             0x00000C0B00000000ull
#define ST_HALTED                  0xFFFFFFFFFFFFFFFFull

#define EXIT_EPT_VIOLATION 48ull
#define EXIT_VMCALL        77ull
#define EXIT_INTERRUPT     1ull
/* NON_RECOVERABLE_VCPU with the reason "triple fault". */
#define EXIT_TRIPLE_FAULT 0x4000000100000002ull

/* ---- S-EPT entries as numbers ----------------------------------------------------------------- */

#define E_FREE            0x80E0000000000000ull
#define E_REMOVED         0x80C0000000000000ull
#define E_TDEL            0x0000000000000800ull
#define E_HP              0x0010000000000000ull
#define E_TABLE(hpa)      (0x8000000000000007ull | (hpa))
#define E_TABLE_BLK(hpa)  (0x8080000000000000ull | (hpa))
#define E_MAPPED(hpa)     (0x80000000000000F7ull | (hpa))
#define E_BLOCKED(hpa)    (0x80800000000000F0ull | (hpa))
#define E_BLOCKEDW(hpa)   (0x80400000000000F7ull | (hpa))
#define E_PENDING(hpa)    (0x81000000000000F0ull | (hpa))
#define E_PENDING_B(hpa)  (0x81800000000000F0ull | (hpa))
#define E_PENDING_BW(hpa) (0x81400000000000F0ull | (hpa))

/* Public states, as extended error information shows them in RDX bits 15:8. */
enum {
	PUB_FREE = 0,
	PUB_BLOCKED = 1,
	PUB_PENDING = 2,
	PUB_PENDING_BLOCKED = 3,
	PUB_MAPPED = 4,
	PUB_REMOVED = 5,
	PUB_BLOCKEDW = 8,
	PUB_PENDING_BLOCKEDW = 16,
	PUB_NL_BLOCKED = 129,
	PUB_NL_MAPPED = 132,
};

/* What RCX shows of a leaf that is not accessible: everything but TDEL, HP and the state. */
#define X_LEAF(hpa)        (0x80000000000000F0ull | (hpa))
#define X_LEAF_RWX(hpa)    (0x80000000000000F7ull | (hpa))
#define X_RDX(level, pub)  ((level) | (u64)(pub) << 8)
#define X_FREE             0x8000000000000000ull
#define PAGE_INFO(gpa, lv) ((gpa) | (lv))

/* ---- the machine ----------------------------------------------------------------------------- */

#define FX_LPS      4
#define FX_PACKAGES 2
#define FX_VCPUS    4
#define FX_TDCX     6
/* Ticks of now() per microsecond. */
#define FX_TSC 10

/*
 * Private memory in 4 KB page numbers. The second 1 GB block has a PAMT subtree of its own, so that
 * a lock up there tells nothing about the pages down here; most of it is not present.
 */
enum {
	FX_AT_TD = 0,                  /* TDR and TDCX pages */
	FX_AT_VP = 512,                /* TDVPR and their pages */
	FX_AT_BIG = 1024,              /* a free 2 MB page */
	FX_AT_SEPT = 1536,             /* S-EPT pages */
	FX_LOW_END = 2048,             /* nothing from here ... */
	FX_AT_PAIRS = 4096,            /* but PAMT pages, where PAMT is dynamic */
	FX_AT_HIGH = 262144,           /* ... to here: 4 KB pages for data */
	FX_AT_HIGH_BIG = 262144 + 512, /* another free 2 MB page */
	FX_PAGES = 262144 + 1024,      /* the end of memory, in the middle of a block */
};

#define FX_HPA(page) (SL_PRIVATE_BASE + (u64)(page)*SL_PAGE_SIZE)

/* Where things lie in shared memory. */
#define FX_TDMR_LIST  0x1000ull
#define FX_TDMR_INFO  0x1200ull
#define FX_TD_PARAMS  0x2000ull
#define FX_SOURCE     0x3000ull
#define FX_MODULE_KEY 32

struct fx_td {
	u64 tdr;
	u64 hkid;
	u64 tdcx[9];
	u32 tdcx_count;
	u64 vcpu[FX_VCPUS];
	u32 vcpu_count;
};

struct fx;
typedef void (*fx_guest_fn)(struct fx *f, struct sl_lp *lp);

struct fx_guest {
	struct sl_guest base; /* first */
	struct fx *f;
	fx_guest_fn fn;
};

struct fx_env {
	struct sl_env base; /* first */
	struct fx *f;
	struct sl_stats *stats; /* on a page of its own */
};

enum fx_kind {
	FX_SHAREX_HP,
	FX_SHAREX,
	FX_MUTEX,
	FX_TDEL,
};

/* A lock word somewhere in the machine. */
struct fx_word {
	enum fx_kind kind;
	void *at;
};

#define FX_HELD_MAX 8

struct fx {
	struct sl_machine *m;
	void *arena;
	size_t size;
	struct sl_lp *lp[FX_LPS];
	struct fx_env env[FX_LPS];
	struct fx_guest guest[FX_LPS];
	struct fx_td td[2];
	u32 next_td, next_vp, next_sept, next_high;
	u64 attributes; /* of TDs that are created from here on */

	/* env */
	u64 clock;
	u32 script[8]; /* what choose() says; 0 once it is used up */
	u32 script_length, script_at;
	u32 asked[3]; /* choose() calls by kind */
	u32 notes;
	u32 violations, violations_expected;
	enum sl_violation kind;
	char id[64];
	char text[256];

	/* registers after the last seamcall() and tdcall() */
	struct tdx_module_args out;
	struct tdx_module_args g;
	u32 depth; /* guests that run */

	/* locks that the test holds */
	struct {
		struct fx_word w;
		bool ex;
	} held[FX_HELD_MAX];
	u32 held_count;

	/* what happens at the next write to a page */
	void *trap_page;
	fx_guest_fn trap_fn;
	u32 traps;
	u32 trap_skip; /* writes that go through before */

	void *snapshot;
};

/* In module state INIT_PENDING, with all lanes set. */
struct fx *fx_new(enum sl_flavour flavour, bool contents);
/* The same, brought up to READY. */
struct fx *fx_up(enum sl_flavour flavour);
struct fx *fx_up_contents(enum sl_flavour flavour);
/* The same, contents on, in another release. */
struct fx *fx_up_release(enum sl_release release, enum sl_flavour flavour);
/* Release 1.5.25 with dynamic PAMT; the parts that tests use have their pairs, the 2 MB pages none. */
struct fx *fx_up_dynamic(enum sl_flavour flavour);
/* The same without any pairs. */
struct fx *fx_up_bare(enum sl_flavour flavour);
/* Gives the 2 MB around @hpa its pair, which is always the same two pages. */
void fx_pair(struct fx *f, u64 hpa);
u64 fx_pair_page(u64 hpa, u32 i);
/* Checks that all locks are free and that there were as many findings as expected. */
void fx_down(struct fx *f);

/* choose() says these, then 0. */
void fx_script(struct fx *f, u32 n, ...);

/* ---- calls ----------------------------------------------------------------------------------- */

u64 fx_seamcall(struct fx *f, u32 lp, u64 rax, struct tdx_module_args in);
/* SC(f, lp, tdh_mem_track, .rcx = tdr) */
#define SC(f, lp, leaf, ...) \
	fx_seamcall(f, lp, SEAMCALL_##leaf, (struct tdx_module_args){ __VA_ARGS__ })
u64 fx_tdcall(struct fx *f, struct sl_lp *lp, u64 rax, struct tdx_module_args in);
#define TC(f, lp, leaf, ...) \
	fx_tdcall(f, lp, TDCALL_##leaf, (struct tdx_module_args){ __VA_ARGS__ })

/* Compares two statuses and names both on failure. */
#define is(got, want) fx_is_at((got), (want), #got, __FILE__, __LINE__)
void fx_is_at(u64 got, u64 want, const char *what, const char *file, int line);
/* The same for any number, in hexadecimal. */
#define eq(got, want) fx_eq_at((u64)(got), (u64)(want), #got, __FILE__, __LINE__)
void fx_eq_at(u64 got, u64 want, const char *what, const char *file, int line);

/* TDH.VP.ENTER with @fn as the guest; a guest that does not exit by itself ends in a VMCALL. */
u64 fx_enter(struct fx *f, u32 lp, u64 vcpu, fx_guest_fn fn);
/* The same with flags in RCX. */
u64 fx_enter_flags(struct fx *f, u32 lp, u64 vcpu, u64 flags, fx_guest_fn fn);
/* Leaves the guest; for guests that have more to say than that. */
void fx_vmcall(struct fx *f, struct sl_lp *lp);

/* ---- building -------------------------------------------------------------------------------- */

/* Bring-up in steps; each asserts success. */
void fx_sys_init(struct fx *f);
void fx_lp_init(struct fx *f);
/* Writes a valid list with one TDMR_INFO into shared memory; returns the TDMR_INFO. */
u64 *fx_tdmr_info(struct fx *f);
u64 fx_sys_config(struct fx *f);
void fx_tdmr_init(struct fx *f);

u64 fx_page_td(struct fx *f);
u64 fx_page_vp(struct fx *f);
u64 fx_page_sept(struct fx *f);
u64 fx_page_high(struct fx *f);

/* Valid TD_PARAMS in shared memory; returns them, to be changed. */
u8 *fx_td_params(struct fx *f);
void fx_td_create(struct fx *f, struct fx_td *td);
void fx_td_addcx(struct fx *f, struct fx_td *td, u32 count);
void fx_td_init(struct fx *f, struct fx_td *td);
/* The first three steps, up to and with the TDCX pages: what TDH.MNG.INIT needs. */
void fx_td_allocated(struct fx *f, struct fx_td *td);
/* TDVPR and its pages, VP.INIT not called. */
u64 fx_vcpu_create(struct fx *f, struct fx_td *td);
/* The same with VP.INIT on @lp. */
u64 fx_vcpu_add(struct fx *f, struct fx_td *td, u32 lp);
/* INITIALIZED, with @vcpus vCPUs associated with LP 0, 1, ... */
void fx_td_initialized(struct fx *f, struct fx_td *td, u32 vcpus);
/* RUNNABLE. */
void fx_td_runnable(struct fx *f, struct fx_td *td, u32 vcpus);
/* VP.FLUSH, VPFLUSHDONE, CACHE.WB, FREEID. */
void fx_td_teardown(struct fx *f, struct fx_td *td);

/* S-EPT pages so that an entry for @gpa at @level exists. */
void fx_sept(struct fx *f, struct fx_td *td, u64 gpa, u32 level);
/* The same and a PENDING page there. */
void fx_aug(struct fx *f, struct fx_td *td, u64 gpa, u32 level, u64 hpa);
/* The same and accepted by vCPU 0 on LP 0. */
void fx_map(struct fx *f, struct fx_td *td, u64 gpa, u32 level, u64 hpa);

/* ---- looking inside ---------------------------------------------------------------------------- */

struct tdr *fx_tdr(struct fx *f, const struct fx_td *td);
struct tdcs *fx_tdcs(struct fx *f, const struct fx_td *td);
struct tdvps *fx_tdvps(struct fx *f, u64 vcpu);
struct pamt_entry *fx_pamt(struct fx *f, u64 hpa, u32 level);
/* The entry for @gpa at @level, found without the module's walk; NULL if there is none. */
_Atomic u64 *fx_entry(struct fx *f, const struct fx_td *td, u64 gpa, u32 level);
u64 fx_entry_value(struct fx *f, const struct fx_td *td, u64 gpa, u32 level);
void fx_poke(struct fx *f, const struct fx_td *td, u64 gpa, u32 level, u64 value);
u64 fx_chldcnt(struct fx *f, const struct fx_td *td);
/* Type, owner and BEPOCH of a page in one comparison. */
#define page_is(f, hpa, level, type, owner, bepoch) \
	fx_page_is_at(f, hpa, level, type, owner, bepoch, __FILE__, __LINE__)
void fx_page_is_at(struct fx *f, u64 hpa, u32 level, enum pamt_type type, u64 owner, u64 bepoch,
		   const char *file, int line);

/* ---- locks ----------------------------------------------------------------------------------- */

struct fx_word fx_w_pamt(struct fx *f, u64 hpa, u32 level);
struct fx_word fx_w_op_state(struct fx *f, const struct fx_td *td);
struct fx_word fx_w_tree(struct fx *f, const struct fx_td *td);
struct fx_word fx_w_epoch(struct fx *f, const struct fx_td *td);
struct fx_word fx_w_rtmr(struct fx *f, const struct fx_td *td);
struct fx_word fx_w_entry(struct fx *f, const struct fx_td *td, u64 gpa, u32 level);
struct fx_word fx_w_sharex(sharex_t *l);
struct fx_word fx_w_mutex(hp_mutex_t *l);

u64 fx_word_value(struct fx_word w);
/* HOST_PRIORITY set? */
bool fx_word_hp(struct fx_word w);
void fx_set_hp(struct fx_word w);
/* Holds a lock as somebody else would, until fx_release_all(). */
void fx_hold(struct fx *f, struct fx_word w, bool ex);
/* The value a held word has if nobody asked for it. */
u64 fx_word_held(const struct fx *f, u32 index);
void fx_release_all(struct fx *f);
/* Fails unless every lock word of the machine is free, HOST_PRIORITY and what the test holds aside. */
void fx_check_locks(struct fx *f);
/* The first lock that is not, or NULL. */
const char *fx_locks(struct fx *f);

/* ---- state ----------------------------------------------------------------------------------- */

/* Everything that a refused call must not change: a number over all module state but lock bits. */
u64 fx_digest(struct fx *f);
/* One snapshot of everything; may be restored any number of times. */
void fx_save(struct fx *f);
void fx_restore(struct fx *f);

/*
 * At the first write to the private page @hpa, @fn runs in the middle of whatever call wrote there,
 * before the write: this is how tests get between two steps of a leaf.
 */
void fx_trap(struct fx *f, u64 hpa, fx_guest_fn fn);
/* The same at the write after @skip others. */
void fx_trap_after(struct fx *f, u64 hpa, u32 skip, fx_guest_fn fn);
/* The same at the next event that @lp counts. */
void fx_trap_count(struct fx *f, u32 lp, fx_guest_fn fn);
/* The same at the PAMT entry of @hpa, and those beside it. */
void fx_trap_pamt(struct fx *f, u64 hpa, u32 level, fx_guest_fn fn);
/* Events counted on all LPs. */
u64 fx_count(const struct fx *f, enum sl_counter c);

#endif
