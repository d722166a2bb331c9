/* SPDX-License-Identifier: MIT */
/*
 * The module's data structures: physical memory, PAMT, logical processors, global tables and the
 * control structures that live in TD pages (TDR, TDCS, TDVPS).
 *
 * Words that several LPs touch without a common lock are _Atomic; everything else is plain and
 * protected by the lock that its comment names. Layer: module, private.
 */
#ifndef SL_MODULE_MACHINE_H
#define SL_MODULE_MACHINE_H

#include <seamlab/hplock.h>
#include <seamlab/module.h>

#include "base/bug.h"
#include "base/env.h"
#include "base/stats.h"
#include "base/types.h"
#include "module/digest.h"
#include "module/release.h"

/* ---- PAMT (spec: "PAMT") ---------------------------------------------------------------- */

enum pamt_type {
	PAMT_NDA = 0,
	PAMT_RSVD = 1,
	PAMT_REG = 3,
	PAMT_TDR = 4,
	PAMT_TDCX = 5,
	PAMT_TDVPR = 6,
	PAMT_EPT = 8,
	PAMT_PAMT = 15, /* of a 2 MB entry: the 4 KB entries are in two pages of the VMM's */
};

/*
 * 16 bytes. type and bepoch are written under some lock of the page but read by flows that hold
 * none of them (the 2 MB free scan, the tracked predicate), hence atomic. The owner is only read
 * under the entry's lock.
 */
struct pamt_entry {
	sharex_hp_t lock;
	_Atomic u8 type; /* enum pamt_type */
	u8 owner_high;
	u32 owner_low; /* owner = TDR HPA >> 12, 40 bits */
	_Atomic u64 bepoch;
};
_Static_assert(sizeof(struct pamt_entry) == 16, "PAMT entries are 16 bytes");

static inline enum pamt_type pamt_type(const struct pamt_entry *e)
{
	return (enum pamt_type)atomic_load_explicit(&e->type, memory_order_relaxed);
}

static inline void pamt_set_type(struct pamt_entry *e, enum pamt_type type)
{
	atomic_store_explicit(&e->type, (u8)type, memory_order_relaxed);
}

static inline struct hpa pamt_owner(const struct pamt_entry *e)
{
	return (struct hpa){ ((u64)e->owner_high << 32 | e->owner_low) << SL_PAGE_SHIFT };
}

static inline void pamt_set_owner(struct pamt_entry *e, struct hpa tdr)
{
	e->owner_low = (u32)(tdr.v >> SL_PAGE_SHIFT);
	e->owner_high = (u8)(tdr.v >> (SL_PAGE_SHIFT + 32));
}

static inline u64 pamt_bepoch(const struct pamt_entry *e)
{
	return atomic_load_explicit(&e->bepoch, memory_order_relaxed);
}

static inline void pamt_set_bepoch(struct pamt_entry *e, u64 epoch)
{
	atomic_store_explicit(&e->bepoch, epoch, memory_order_relaxed);
}

/*
 * The same 16 bytes of a 2 MB entry of type PAMT_PAMT, with dynamic PAMT: the first page of the pair in the
 * owner's place; in that of the epoch the second one, and how many of the 512 pages are in use. The
 * count changes under the lock of one of those, the rest under the entry's own, exclusive.
 */
#define PAMT_COUNT_MASK   GENMASK_ULL(9, 0)
#define PAMT_SECOND_SHIFT 28

static inline struct hpa pamt_pair_page(const struct pamt_entry *e, u32 i)
{
	if (i == 0)
		return pamt_owner(e);
	return (struct hpa){ pamt_bepoch(e) >> PAMT_SECOND_SHIFT << SL_PAGE_SHIFT };
}

static inline u32 pamt_pages_in_use(const struct pamt_entry *e)
{
	return (u32)(pamt_bepoch(e) & PAMT_COUNT_MASK);
}

/* ---- Physical memory --------------------------------------------------------------------- */

/*
 * One TDMR from SL_PRIVATE_BASE on. PAMT arrays and frames are indexed by page number from there;
 * the engine's arena is populated lazily, so what is never touched costs nothing.
 */
struct sl_mem {
	u64 pages;                  /* 4 KB pages present */
	u64 blocks;                 /* 1 GB blocks covering them */
	struct pamt_entry *pamt[3]; /* by level */
	struct pamt_entry rsvd;     /* 4 KB entry of every page of a block that is not present */
	u8 *frames;
	u8 *shared;
	_Atomic u64 *is_pamt; /* dynamic PAMT: one bit per page, it is one of a pair; else NULL */
	_Atomic u64 initialized; /* end of the initialised part, bytes from base (TDMR.INIT) */
	hp_mutex_t tdmr_lock;
};

/* ---- Global tables ------------------------------------------------------------------------ */

enum sys_state {
	SYS_INIT_PENDING,
	SYS_INIT_DONE,
	SYS_CONFIG_DONE,
	SYS_READY,
	SYS_SHUT_DOWN,
};

enum kot_state {
	KOT_FREE,
	KOT_ASSIGNED,
	KOT_FLUSHED,
	KOT_RESERVED,
};

struct kot_entry {
	u8 state;                  /* KOT lock */
	_Atomic u32 wbinvd_bitmap; /* packages that still have to write back */
};

/* One per package; protected by its lock. */
struct wbt_entry {
	hp_mutex_t lock;
	bool started;
	u32 position;
	u64 hkids; /* which were FLUSHED when the cycle started */
};

/* Pieces in which TDH.PHYMEM.CACHE.WB writes a package's cache back, polling in between. */
#define WBT_PIECES 4

/* ---- TD control structures ------------------------------------------------------------- */

enum td_lifecycle {
	TD_HKID_ASSIGNED,
	TD_KEYS_CONFIGURED,
	TD_BLOCKED,
	TD_TEARDOWN,
};

enum op_state {
#define SL_OP_STATE(number, name, tracking) OP_##name = (number),
#include "module/op_state.def"
#undef SL_OP_STATE
#define SL_NEW_OP_STATE(since, number, name, tracking) OP_##name = (number),
#include <seamlab/tdx_release.def>
#undef SL_NEW_OP_STATE
};

#define TDCX_MIN        6
#define TDCX_MAX        9
#define TDCX_SEPT_ROOT  3
#define TDVPS_PAGES_MIN 6
#define TDVPS_PAGES_MAX 15

/* In the TDR page. Plain fields: written under TDR exclusive, read under TDR shared. */
struct tdr {
	_Atomic bool fatal;
	u8 lifecycle;
	u16 hkid;
	u32 num_tdcx;
	_Atomic u32 pkg_config_bitmap;
	_Atomic u64 chldcnt;
	struct hpa tdcx[TDCX_MAX];
};

/* So many 4 KB pages become the TD's, or are no longer. Under the TDR shared, hence atomic. */
static inline void tdr_count_up(struct tdr *tdr, u64 pages)
{
	atomic_fetch_add_explicit(&tdr->chldcnt, pages, memory_order_relaxed);
}

static inline void tdr_count_down(struct tdr *tdr, u64 pages)
{
	atomic_fetch_sub_explicit(&tdr->chldcnt, pages, memory_order_relaxed);
}

/* TD_EPOCH and both reference counts share one word that is read at once. */
union td_epoch {
	_Alignas(16) struct {
		_Atomic u64 epoch;
		_Atomic u16 refcount[2];
	} f;
	unsigned __int128 whole;
};

#define TD_ATTR_DEBUG              BIT_ULL(0)
#define TD_ATTR_SEPT_VE_DISABLE    BIT_ULL(28)
#define TD_CONFIG_FLEXIBLE_VE      BIT_ULL(1)
#define TD_CTLS_PENDING_VE_DISABLE BIT_ULL(0)
#define HP_LOCK_TIMEOUT_DEFAULT_US 1000000ull
#define HP_LOCK_TIMEOUT_MIN_US     10000ull
#define HP_LOCK_TIMEOUT_MAX_US     100000000ull
#define RTMRS                      4

/* In the first TDCX page. Plain fields: as in struct tdr. */
struct tdcs {
	sharex_hp_t op_state_lock;
	sharex_hp_t rtmr_lock;
	union { /* sl_machine.tree_hp says which */
		sharex_t tree_lock;
		sharex_hp_t tree_lock_hp;
	};
	sharex_t epoch_lock;
	union td_epoch epoch;
	u8 op_state;
	u8 page_walk; /* level of the root's entries: 3 or 4 */
	bool gpaw;
	_Atomic u32 num_vcpus;
	_Atomic u32 num_assoc_vcpus;
	u32 max_vcpus;
	u64 attributes;
	u64 xfam;
	_Atomic u64 hp_lock_timeout; /* TSC ticks */
	_Atomic u64 notify_enables;
	_Atomic u64 td_ctls; /* bit 0: PENDING_VE_DISABLE */
	u64 config_flags;    /* as in TD_PARAMS */
	/* MRCONFIGID, MROWNER, MROWNERCONFIG; set by MNG.INIT, as are all of the above. */
	u8 ids[3][SHA384_SIZE];
	struct sha384 mrtd_ctx;      /* until MR.FINALIZE */
	u8 mrtd[SHA384_SIZE];        /* from then on */
	u8 rtmr[RTMRS][SHA384_SIZE]; /* RTMR lock */
	/*
	 * The digest of TDINFO as the last MR.REPORT computed it. Written under the RTMR lock shared:
	 * reports that run at once write the same (finding H7); RTMR.EXTEND, exclusive, invalidates.
	 */
	_Atomic bool tdinfo_hash_valid;
	_Atomic u64 tdinfo_hash[SHA384_SIZE / 8];
	struct hpa
		x2apic_vcpus; /* TDVPRs of vCPUs with an x2APIC id, by x2apic_next; TDR exclusive */
	struct hpa sept_root;
};

enum vcpu_state {
	VCPU_UNINITIALIZED = 0,
	VCPU_READY = 2,
	VCPU_ACTIVE = 4,
	VCPU_DISABLED = 8,
};

enum last_exit {
	LAST_EXIT_ASYNC_FAULT,
	LAST_EXIT_ASYNC_TRAP,
	LAST_EXIT_TDVMCALL,
};

#define LPID_NONE           0xFFFFFFFFu
#define EPF_LIST_MAX        32
#define ZERO_STEP_THRESHOLD 6

/*
 * In the TDVPR page. Plain fields: the LP that the vCPU is associated with, or TDVPR exclusive.
 */
struct tdvps {
	_Atomic u8 state;
	u8 last_exit;
	u8 epf_count; /* POSSIBLY_EPF_STEPPING */
	u8 epf_index; /* LAST_EPF_GPA_LIST_IDX */
	_Atomic u32 assoc_lpid;
	u32 num_pages; /* TDVPS pages, TDVPR included */
	u32 vcpu_index;
	u64 vcpu_epoch;
	u64 rip;
	u64 rax;               /* saved guest RAX */
	bool tdcall_completed; /* RIP is past a TDCALL whose result the guest has not seen */
	bool pend_nmi;         /* PEND_NMI, set by the host */
	bool cpuid_ve[2];      /* CPUID raises #VE: in supervisor mode, in user mode */
	bool hp_lock_busy;
	u64 hp_lock_busy_start;
	u64 vmcall_mask;
	struct tdx_module_args gpr; /* saved guest GPRs around a VMCALL */
	struct {
		bool valid;
		u32 reason;
		u64 qualification, gla, gpa, info;
	} ve;
	struct sl_guest *guest;
	u64 epf_list[EPF_LIST_MAX];
	/* Of a vCPU that TDH.VP.INIT version 1 initialised; TDR exclusive. */
	u32 x2apic_id;
	struct hpa x2apic_next;
};
_Static_assert(sizeof(struct tdvps) <= SL_PAGE_SIZE, "TDVPS must fit its page");
_Static_assert(sizeof(struct tdcs) <= SL_PAGE_SIZE, "TDCS must fit its page");

/* ---- Logical processors -------------------------------------------------------------------- */

#define TLB_SIZE 16

struct tlb_entry {
	u64 tag; /* gfn + 1; 0 = empty */
	struct hpa page;
	u8 level; /* of the leaf that it came from */
};

/* What VP.ENTER returns once run() has come back. */
struct td_exit {
	bool pending;
	bool completed; /* trap-like: RIP moves past the TDCALL */
	u8 last_exit;
	u64 rax;
	struct tdx_module_args args;
};

/* Private to the LP's own lane, interrupt word and busy flag excepted. */
struct sl_lp {
	struct sl_machine *machine;
	struct sl_env *env;
	u32 index;
	u32 package;
	u32 platform; /* enum sl_platform */
	_Atomic bool busy;
	bool initialized;
	_Alignas(SL_CACHELINE) _Atomic u32 irq; /* 1: an interrupt is pending */
	/* The guest that runs here, between TDH.VP.ENTER and TD exit. */
	_Alignas(SL_CACHELINE) struct tdvps *vp;
	struct tdr *tdr;
	struct tdcs *tdcs;
	struct hpa tdr_hpa;
	struct td_exit exit;
	bool ve_injected; /* the last TDCALL did not happen: #VE instead */
	u64 rip_at_entry;
	u64 user_msr;
	struct hpa last_vcpu; /* TDVPR of the vCPU that ran here last */
	struct tlb_entry tlb[TLB_SIZE];
};

/* What a leaf commits: pages that come and go, and what counts for the TD's measurement. */
enum commit_kind {
	COMMIT_CONTROL,     /* page: the TD's, as TDR, TDCX, TDVPR or S-EPT page */
	COMMIT_ADD,         /* page: the TD's, mapped at gpa, with contents that are measured */
	COMMIT_AUG,         /* page: the TD's, mapped at gpa, for the guest to accept */
	COMMIT_ACCEPT,      /* page: accepted at gpa */
	COMMIT_RELOCATE,    /* from: free; page takes its place at gpa */
	COMMIT_DEMOTE,      /* page, mapped at gpa: 512 of the size below */
	COMMIT_PROMOTE,     /* 512 from page on, mapped from gpa on: one at level */
	COMMIT_REMOVE,      /* page: free, no longer mapped at gpa */
	COMMIT_FREE,        /* page: free, a S-EPT page or any page of a TD that is torn down */
	COMMIT_PAMT_ADD,    /* page: holds PAMT entries of the 2 MB at from */
	COMMIT_PAMT_REMOVE, /* page: free, and so far held PAMT entries of the 2 MB at from */
	COMMIT_INIT,        /* the measurement begins */
	COMMIT_EXTEND,      /* 256 bytes at gpa, @data or zeros for NULL, are measured */
	COMMIT_FINALIZE,    /* the measurement ends */
};

struct commit {
	enum commit_kind kind;
	u32 level;
	struct hpa tdr;
	struct hpa page;
	struct hpa from;
	struct gpa gpa;
	const void *data;
};

/*
 * Observation points for oracles; all may be NULL. They must not change model state.
 * translate: the guest on @lp is about to use a translation of @gpa to @page, @cached or just walked.
 * commit: a leaf on @lp commits this, and holds the locks under which it does.
 * leaked: a call on @lp is about to return with @words lock words that it has taken and not released.
 */
struct sl_module_hooks {
	void (*translate)(struct sl_lp *lp, struct gpa gpa, struct hpa page, u32 level,
			  bool cached);
	void (*commit)(struct sl_lp *lp, const struct commit *what);
	void (*leaked)(struct sl_lp *lp, const char *leaf, u64 status, u32 words);
};

struct call;
struct lock_step;

/* A leaf as the machine's release has it. */
struct leaf_row {
	u64 (*run)(struct call *c);      /* NULL: there is no such leaf here */
	const struct lock_step *plan[2]; /* of version 0 and 1 */
	u32 entry_states;                /* set of enum sept_state that it accepts */
	u16 op_states;                   /* set of OP_STATEs that it accepts */
	u8 version_max;                  /* the highest that it takes */
	bool before_ready;               /* works before the module is READY */
};

struct sl_machine {
	struct sl_machine_config cfg;
	u64 changes; /* of the release, see changed() */
	bool hardened;
	bool tree_hp;      /* the S-EPT tree lock is a sharex_hp */
	bool dynamic_pamt; /* TDH.SYS.CONFIG has switched it on; before the module is READY */
	_Atomic bool halted;
	_Atomic u8 sys_state; /* written under sys_lock, read by the dispatcher without */
	sharex_t sys_lock;
	_Atomic u32 sys_pkg_bitmap; /* packages whose global key is configured */
	_Atomic u32 lps_initialized;
	sharex_t kot_lock;
	struct kot_entry kot[SL_HKIDS];
	struct wbt_entry wbt[SL_PACKAGES_MAX];
	hp_mutex_t key_engine[SL_PACKAGES_MAX]; /* the CPU's key-programming instruction */
	const struct sl_module_hooks *hooks;
	struct leaf_row seamcall[TDX_SEAMCALL_COUNT];
	struct leaf_row tdcall[TDX_TDCALL_COUNT];
	struct sl_mem mem;
	struct sl_lp lp[];
};

/* Fills the rows of all leaves, once the configuration stands. */
void leaf_rows_init(struct sl_machine *m);

/* Has the machine's release this change? */
static inline bool changed(const struct sl_machine *m, enum release_change change)
{
	return m->changes >> change & 1;
}

/* A pointer to the frame behind a private page. The caller knows that @page is present. */
static inline void *mem_frame(const struct sl_machine *m, struct hpa page)
{
	return m->mem.frames + (page.v - SL_PRIVATE_BASE);
}

static inline bool mem_is_private(const struct sl_machine *m, struct hpa page)
{
	return page.v >= SL_PRIVATE_BASE && page.v - SL_PRIVATE_BASE < m->mem.blocks
									       << SL_LEVEL_SHIFT(2);
}

/* The PAMT entry of the page of size @level around @page, which lies inside the TDMR. */
static inline struct pamt_entry *mem_pamt(struct sl_machine *m, struct hpa page, u32 level)
{
	u64 at = page.v - SL_PRIVATE_BASE;

	if (level == 0 && at >> SL_PAGE_SHIFT >= m->mem.pages)
		return &m->mem.rsvd;
	return &m->mem.pamt[level][at >> SL_LEVEL_SHIFT(level)];
}

/* The last 1 GB block may go on behind the memory that is there. */
static inline bool mem_is_present(const struct sl_machine *m, struct hpa page)
{
	return (page.v - SL_PRIVATE_BASE) >> SL_PAGE_SHIFT < m->mem.pages;
}

/* Does the page hold PAMT entries? The bit is set under the page's entry shared or that of its 2 MB. */
static inline bool mem_is_pamt_page(const struct sl_machine *m, struct hpa page)
{
	u64 pfn = (page.v - SL_PRIVATE_BASE) >> SL_PAGE_SHIFT;

	return m->mem.is_pamt && mem_is_present(m, page) &&
	       (atomic_load_explicit(&m->mem.is_pamt[pfn / 64], memory_order_relaxed) >> pfn % 64 &
		1);
}

static inline struct tdcs *tdr_tdcs(const struct sl_machine *m, const struct tdr *tdr)
{
	return mem_frame(m, tdr->tdcx[0]);
}

/*
 * A failed internal check: the module is dead. Reports a finding and returns the status that every
 * later call gives, TDX_UNINITIALIZE_ERROR.
 */
SL_PRINTF(3, 4)
u64 module_halt(struct sl_lp *lp, const char *where, const char *fmt, ...) SL_WARN_UNUSED;

/* Is an interrupt pending on this LP? */
static inline bool lp_interrupt_pending(const struct sl_lp *lp)
{
	return atomic_load_explicit(&lp->irq, memory_order_acquire) != 0;
}

#endif
