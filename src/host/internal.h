/* SPDX-License-Identifier: MIT */
/* What the files of the host layer share among themselves. Layer: host, private. */
#ifndef SL_HOST_INTERNAL_H
#define SL_HOST_INTERNAL_H

#include <errno.h>

#include "base/stats.h"
#include "host/host.h"

/* ---- site.c ---------------------------------------------------------------------------------- */

/*
 * One visit of a site, from the first attempt until the caller is through or gives up. Lives on the
 * caller's stack; only statistics come from the counts.
 */
struct site_visit {
	u64 busy;       /* BUSY results so far */
	u64 start;      /* now() at the first of them */
	u64 status;     /* the last of them */
	bool kept_out;  /* the caller has kicked all vCPUs and keeps them out */
	bool zero_step; /* it is here because zero-step mitigation bites */
	/* What a checkpoint between two tries has to know of the caller, and whether it was told. */
	u64 context;
	bool has_context;
};

/*
 * Makes the SEAMCALL of @site as the policy wants it there; @vm is NULL during bring-up. Returns the
 * last status. A failure that the policy does not allow has been reported, and the VM marked, then.
 */
u64 site_call(struct cpu *cpu, struct vm *vm, enum host_site site, struct tdx_module_args *args);
/* The same for a caller whose future follows from the arena, RCX and @context. */
u64 site_call_from(struct cpu *cpu, struct vm *vm, enum host_site site, u64 context,
		   struct tdx_module_args *args);
/* The same for callers that come back after BUSY; ends with site_visit_end(). */
u64 site_try(struct cpu *cpu, struct vm *vm, enum host_site site, struct tdx_module_args *args,
	     struct site_visit *visit);
void site_visit_end(struct cpu *cpu, enum host_site site, struct site_visit *visit);

/*
 * The answer of the user's policy, an enum sl_policy_action, _fault or _enter; only if policy_asks(). A bad policy
 * is reported, and the answer is then 0: the tables'.
 */
u32 policy_ask(struct cpu *cpu, struct vm *vm, enum policy_question what, enum host_site site,
	       const struct site_visit *visit, u32 attempt);
/* A count as contexts have it, and so all that a lane's future depends on. */
static inline u32 policy_count(u64 n)
{
	return n < SL_POLICY_ATTEMPT_MAX ? (u32)n : SL_POLICY_ATTEMPT_MAX;
}

/* RDX bits 15:8 of a MEM leaf that failed on an entry: its state. */
#define SEPT_PUBLIC_PENDING 2u

bool status_is_busy(u64 status);
/* @status is BUSY, and the policy goes on at @site as if that were nothing. */
bool site_ignores(const struct vm *vm, enum host_site site, u64 status);
static inline u64 status_class(u64 status)
{
	return status & TDX_STATUS_CLASS_MASK;
}
/* 0, -EBUSY, -EAGAIN (no entropy) or -EIO: the one place where a status becomes an errno. */
int status_errno(u64 status);
/* The same with what the policy takes for BUSY at @site; @args as the SEAMCALL left them. */
int site_errno(struct cpu *cpu, enum host_site site, u64 status,
	       const struct tdx_module_args *args);
/* "TDX_OPERAND_BUSY(SEPT_TREE) 0x8000020000000092". */
struct status_text {
	char text[96];
};
struct status_text status_text(u64 status);

/* KVM_BUG_ON: reports @fmt once per VM and marks it bugged and dead. */
SL_PRINTF(4, 5)
void vm_bug(struct cpu *cpu, struct vm *vm, const char *id, const char *fmt, ...);
/* The host gives up on the TD, or the TD on itself: reports it unless the VM is dead already. */
SL_PRINTF(4, 5)
void vm_kill(struct cpu *cpu, struct vm *vm, const char *id, const char *fmt, ...);

/* ---- vmm.c ----------------------------------------------------------------------------------- */

/*
 * A free control page; false and v = 0 if there is none. By pointer: the store of a struct that a
 * function returns is one that compilers do not show to the explorer's hooks.
 */
bool page_alloc(struct cpu *cpu, struct hpa *page) SL_WARN_UNUSED;
void page_free(struct cpu *cpu, struct hpa page);

/* A free key id; 0 if there is none. */
u32 hkid_alloc(struct cpu *cpu);
void hkid_free(struct cpu *cpu, u32 hkid);

/*
 * tdx_lock, unless the policy does without. The lane gives its CPU up while it waits, so that others
 * may make SEAMCALLs there.
 */
void tdx_lock(struct cpu *cpu);
void tdx_unlock(struct cpu *cpu);

/* Shared memory: pages given to the VMM at initialisation. */
#define SHARED_PA_TDMR_ARRAY (1 * SL_PAGE_SIZE)
#define SHARED_PA_TDMR_INFO  (2 * SL_PAGE_SIZE)
#define SHARED_PA_SOURCE     (3 * SL_PAGE_SIZE)
#define SHARED_PA_PARAMS     (8 * SL_PAGE_SIZE) /* + VM index */
_Static_assert(SHARED_PA_PARAMS + VMM_VMS_MAX * SL_PAGE_SIZE <= VMM_SHARED_PAGES * SL_PAGE_SIZE,
	       "the VMM stays within its part of shared memory");

static inline u32 vcpu_id(const struct vcpu *v)
{
	return v->vm->index * VM_VCPUS_MAX + v->index;
}

static inline struct hpa gfn_hpa(const struct vm *vm, u64 gfn)
{
	return (struct hpa){ (vm->base_pfn + gfn) << SL_PAGE_SHIFT };
}

/* ---- pamt.c ---------------------------------------------------------------------------------- */

/*
 * With dynamic PAMT, before the module gets the 4 KB page: its 2 MB range has PAMT pages from now on. 0; -EBUSY:
 * somebody was in the way; -EIO: reported. Nothing happens, at no cost, if PAMT is not dynamic.
 */
int pamt_ref_get(struct cpu *cpu, struct vm *vm, struct hpa page) SL_WARN_UNUSED;
/* The module does not have the page, and nobody is about to name it. */
void pamt_ref_put(struct cpu *cpu, struct vm *vm, struct hpa page);
/* The pair for DEMOTE of the 2 MB, in R12 and R13; what follows if it has succeeded, and PROMOTE. */
void pamt_pair_args(const struct vmm *vmm, struct hpa range, struct tdx_module_args *args);
void pamt_demoted(struct vmm *vmm, struct hpa range);
void pamt_promoted(struct vmm *vmm, struct hpa range);
/*
 * A host without reference counts, after the SEAMCALL of @site with @in: adds what @status says is missing,
 * or removes what the outputs say is not needed. True: make the SEAMCALL again.
 */
bool pamt_lazy(struct cpu *cpu, enum host_site site, const struct tdx_module_args *in,
	       const struct tdx_module_args *out, u64 *status);

/* ---- assoc.c --------------------------------------------------------------------------------- */

/* Makes the SEAMCALL of @site with RCX = @rcx on @target and returns its status. */
u64 cpu_call(struct cpu *me, struct cpu *target, struct vm *vm, enum host_site site, u64 rcx);
int vcpu_load(struct vcpu *v, struct cpu *cpu);
/* The list of a CPU; the caller has the CPU. */
void assoc_add(struct cpu *cpu, struct assoc *a);
void assoc_del(struct assoc *a);

/* ---- build.c --------------------------------------------------------------------------------- */

/* What is missing of the vCPU in the module; a second call goes on where the first failed. */
int vcpu_build(struct vcpu *v, struct cpu *cpu);
/* One page of initial memory, already with its locks. */
int page_add(struct vm *vm, struct cpu *cpu, u64 gfn, bool measure);
/* FINALIZE, and what follows from it. */
int td_finalize(struct vm *vm, struct cpu *cpu);

/* ---- run.c ----------------------------------------------------------------------------------- */

/* The vCPU's mutex, which is held for long: who waits for it gives its CPU up meanwhile. */
void vcpu_lock(struct vcpu *v, struct cpu *cpu);
bool vcpu_trylock(struct vcpu *v);
void vcpu_unlock(struct vcpu *v);

/* ---- kick.c ---------------------------------------------------------------------------------- */

/* Returns once every vCPU has been outside the guest after the call began. mmu_lock for write. */
void kick_all(struct cpu *cpu, struct vm *vm);
/*
 * Empties the guest (@kick), keeps it empty until keep_out_end() (@hold), or both; in the order that the
 * policy's fences allow. mmu_lock for write.
 */
void keep_out_begin(struct cpu *cpu, struct vm *vm, bool hold, bool kick);
/*
 * The barrier between the keep-out flag and the modes of vCPUs, of a kick or, with @entry, of a vCPU: policy
 * "fences".
 */
void keep_out_fence(const struct vm *vm, bool entry);
/* Who enters from here on sees what was done behind keep_out_begin(). */
void keep_out_end(struct vm *vm);
/* Leaves a request (VCPU_REQ_...) and interrupts the vCPU if it is in the guest. */
void vcpu_request(struct vcpu *v, u32 request);
/* Interrupts the vCPU if it is in the guest; waits for nothing. */
void kick_one(struct vcpu *v);
/* vm_mark_dead(); true for the one call that found the VM alive. */
bool vm_set_dead(struct vm *vm);

/* ---- mirror.c -------------------------------------------------------------------------------- */

enum ret_pf {
	RET_PF_FIXED,
	RET_PF_SPURIOUS,
	RET_PF_RETRY,
	RET_PF_SPLIT, /* the guest wants a smaller page than the one that is mapped */
};

struct fault {
	struct vcpu *vcpu; /* NULL: a thread without one */
	u64 context; /* what a checkpoint has to know of the caller: vCPU id, or end of the range */
	struct cpu *cpu;
	struct vm *vm;
	u64 at;     /* the gfn that is wanted */
	bool small; /* the guest has asked for a small page */
	u64 gfn;    /* of the leaf to be mapped, and its level: found under mmu_lock */
	u32 level;
	u64 mmu_seq;
	struct site_visit sept_add;
	struct site_visit leaf;
	u32 attempts; /* so far; counted where the user's policy may ask, up to what contexts have */
	enum host_site leaf_site; /* ADD or AUG */
};

/* What is to come of the fault depends on its past, where the user's policy looks at counts; 18 bits. */
static inline u64 fault_past(const struct fault *f)
{
	if (sl_likely(!f->vm->vmm->policy->hook))
		return 0;
	return (u64)f->attempts << 12 | (u64)policy_count(f->sept_add.busy) << 6 |
	       (u64)policy_count(f->leaf.busy);
}

/* Tables the mirror of a VM with so many pages has, root included. */
u64 mirror_table_count(u64 pages);
void mirror_init(struct mirror *m, struct sl_arena *arena, u64 pages, struct hpa sept_base);
_Atomic u64 *mirror_sptep(const struct mirror *m, u64 gfn, u32 level);
/* S-EPT page behind the table that the entry at @level for @gfn links. */
struct hpa mirror_sept_page(const struct mirror *m, u64 gfn, u32 level);
/* Walks and installs under mmu_lock held for read. RET_PF_* or -errno. */
int mirror_map(struct fault *f);
/* Is there a leaf at @level? */
bool mirror_is_leaf(const struct vm *vm, u64 gfn, u32 level);
/*
 * The first place at or after *gfn, below @end, where a leaf may be: *gfn, which may become less, and its level.
 * mmu_lock held.
 */
bool mirror_next(const struct vm *vm, u64 *gfn, u64 end, u32 *level);
/* mmu_lock held for write: the 2 MB leaf becomes 512 leaves; 512 leaves that are there become one. */
void mirror_split(struct vm *vm, u64 gfn);
bool mirror_can_promote(const struct vm *vm, u64 gfn);
void mirror_promote(struct vm *vm, u64 gfn);
/* mmu_lock held for read: the leaf becomes FROZEN, then what it was, or (@split) a table of small leaves. */
bool mirror_freeze_leaf(struct vm *vm, u64 gfn, u32 level, u64 *old);
void mirror_thaw(struct vm *vm, u64 gfn, u32 level, u64 old, bool split);
/* Takes the leaf out under mmu_lock held for write; the old SPTE, 0 if there was none. */
u64 mirror_zap(struct vm *vm, u64 gfn, u32 level);
/* The first gfn at or after @gfn, below @end, whose table of leaves at @level may be linked. */
u64 mirror_skip(const struct vm *vm, u64 gfn, u64 end, u32 level);

/* ---- fault.c --------------------------------------------------------------------------------- */

/*
 * One fault of a vCPU, local retries included; @small: the guest accepts 4 KB. 0: back to the run loop;
 * -EIO: the VM is dead; -EFAULT: there is no memory, or it is shared.
 */
int fault_handle(struct vcpu *v, struct cpu *cpu, u64 gfn, bool small);
/*
 * Makes the vCPU's last unresolved fault good, if there is one, with all vCPUs kicked and kept out: BUSY then
 * bugs the VM. 0, -EIO or, as above, -EFAULT; *gfn is the fault's.
 */
int fault_kick_and_retry(struct vcpu *v, struct cpu *cpu, u64 *gfn);
/* Reads every S-EPT entry that an install gave up on: success takes the host's priority away. */
void fault_replay_owed(struct vm *vm, struct cpu *cpu);
/* Initial population: the fault path, in a loop, before the TD is runnable. */
int fault_populate(struct vm *vm, struct cpu *cpu, u64 gfn);
bool vm_gfn_is_shared(const struct vm *vm, u64 gfn);
/* Largest level at which @gfn may be mapped; mmu_lock held. */
u32 vm_map_level(const struct vm *vm, u64 gfn);
/* From now on this 2 MB is mapped in small pages. mmu_lock held for write. */
void vm_keep_small(struct vm *vm, u64 gfn);

/* ---- resize.c -------------------------------------------------------------------------------- */

/*
 * mmu_lock held for write. Splits the 2 MB mapping over @gfn, if there is one. 0 or -EIO. @context: for
 * checkpoints.
 */
int split_locked(struct cpu *cpu, struct vm *vm, u64 gfn, u64 context);
/* mmu_lock held for read. RET_PF_FIXED, RET_PF_RETRY or -EIO. */
int split_read(struct fault *f);

/* ---- teardown.c ------------------------------------------------------------------------------ */

/* mmu_lock held, or before it is taken (@locked false): the policy stops those who would use a TD without key id. */
bool vm_key_is_gone(const struct vm *vm, bool locked);
/* mmu_lock held for write: waits, without it, while the key id is being released. True: it has waited. */
bool vm_key_wait(struct vm *vm, struct cpu *cpu);
/* Reclaims one leaf that the mirror has given up, of a TD without key id. */
bool reclaim_leaf(struct cpu *cpu, struct vm *vm, u64 hpa, u32 level);

/* ---- slot.c ---------------------------------------------------------------------------------- */

/*
 * The reader side of the memslots: whoever publishes new ones waits until every section that was
 * open then has been left. Sections do not nest, and nothing in one waits for slots_lock.
 */
void srcu_read_lock(struct cpu *cpu, const struct vm *vm);
void srcu_read_unlock(struct cpu *cpu);
/* The slot around @gfn, which lies in the memory map. In a read section. */
enum vm_slot vm_slot_of(const struct vm *vm, u64 gfn);
/* User space lets the vCPU rest while the slot around @gfn is gone. In no read section. */
void vcpu_wait_for_slot(struct vcpu *v, struct cpu *cpu, u64 gfn);

/* ---- zap.c ----------------------------------------------------------------------------------- */

/* mmu_lock held for write. Zaps every leaf that touches [start, end). 0 or -EIO. */
int zap_range(struct cpu *cpu, struct vm *vm, u64 start, u64 end);
/*
 * TRACK at @site, with the kick that the policy wants; every vCPU has to leave the guest once before a page counts as
 * tracked. mmu_lock held for write.
 */
bool track_and_kick(struct cpu *cpu, struct vm *vm, enum host_site site, u64 context);
bool mmu_invalidate_retry(const struct vm *vm, u64 seq, u64 gfn);

#endif
