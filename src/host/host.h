/* SPDX-License-Identifier: MIT */
/*
 * The VMM: what a KVM-like host does with the TDX module. Physical CPUs, VMs, vCPUs, and the entry
 * points that lanes call. Layer: host; uses the module's public interface and base only.
 *
 * All state lives in the arena handed to vmm_init(). A lane (a thread of execution) first takes a
 * CPU, calls in with it, and gives it back before it ends or waits for anything outside the host.
 *
 * operation                   | needs outside exclusion
 * ----------------------------|--------------------------------------------------------------
 * vmm_init, vmm_bring_up      | yes, before any other lane runs
 * cpu_take .. cpu_put         | no: one lane at a time has a CPU, others wait in cpu_take()
 * vm_build, vm_teardown       | against everything on the same VM; not against other VMs
 * vm_terminate                | against itself and the two above
 * vcpu_migrate                | no; cpu_flush_vcpus: against build and teardown
 * vcpu_run                    | one lane per vCPU; everything below may run beside it
 * host_map, host_zap,         | no, while the VM is built
 * host_split, host_promote,   |
 * vm_delete_slot, _create_slot |
 * vcpu_signal, vcpu_interrupt | no, while the VM is built
 * vm_mark_dead                | no
 * host_check                  | yes: the VM at rest
 *
 * G1: a gfn is mapped in the mirror only if the module was asked, successfully, to map it.
 * G2: removal happens under mmu_lock held for write, installation under mmu_lock held for read.
 * G3: at most one lane kicks the vCPUs of a VM at a time (mmu_lock held for write).
 * P1: no function waits for a vCPU to leave the guest while it keeps that vCPU from leaving.
 */
#ifndef SL_HOST_HOST_H
#define SL_HOST_HOST_H

#include <seamlab/module.h>

#include "base/arena.h"
#include "base/env.h"
#include "base/types.h"
#include "base/vmcall.h"
#include "host/policy.h"

#define VMM_VMS_MAX 8
/* Pages of shared memory that the VMM uses, from the first one on. */
#define VMM_SHARED_PAGES 16
#define VM_RANGES_MAX    64
#define VM_VCPUS_MAX     64
/* Control pages: TDCX of a TD, TDCX of a vCPU (besides the TDVPR page). */
#define VM_TDCX_PAGES   6
#define VCPU_TDCX_PAGES 5
/* Levels of the private EPT below the root: entries at 3 (in the root), 2, 1, 0. */
#define MIRROR_ROOT_LEVEL 3
#define GPA_SHARED_BIT    47

/* Labels of env_checkpoint() and env_settle(). */
enum host_checkpoint {
	HOST_CHECKPOINT_RUN =
		0x4801,         /* a = vCPU id, b = 1: between two entries with interrupts off */
	HOST_CHECKPOINT_FAULT,  /* a = vCPU id, b = gfn */
	HOST_CHECKPOINT_MAP,    /* a = gfn, b = end of the range */
	HOST_CHECKPOINT_WALK,   /* a = gfn and level, b = what the fault is for */
	HOST_CHECKPOINT_ZAP,    /* a = gfn, level and stage, b = the rest of the range */
	HOST_CHECKPOINT_RESIZE, /* a = gfn and stage, b = what the caller says */
	HOST_CHECKPOINT_SITE,   /* a = site and RCX, b = caller's context and number of the try */
	HOST_CHECKPOINT_BUILD, /* a = site and RCX, b = RDX: what is built so far is in the arena */
	HOST_CHECKPOINT_SECOND, /* as SITE, in front of the second and last try */
	HOST_CHECKPOINT_IDLE,   /* a = vCPU id, b = as RUN: nothing was run */
	HOST_CHECKPOINT_PAUSE,  /* a = vCPU id, b = as RUN: an exit has been handled */
	HOST_SETTLED_KICK, /* a = who was in the guest and where, b = which vCPU comes next, and what for */
	HOST_SETTLED_LOOK, /* a = enum entry: what forbids to enter, b = 0 */
	HOST_SETTLED_LEFT, /* a = 0: the guest is left, 1: interrupts have been open, b = 0 */
};

struct vmm;
struct vm;

/* ---- physical CPUs --------------------------------------------------------------------------- */

#define CPU_NONE ((u32)-1)

/* Values of cpu.state. */
#define CPU_IDLE 0u /* no lane has it */
#define CPU_BUSY 1u /* a lane has it */
#define CPU_MAIL 2u /* + index of the CPU that wants a SEAMCALL made here; a lane has it */

struct vcpu;

/* A SEAMCALL that has to be made on another CPU: VP.FLUSH, KEY.CONFIG, CACHE.WB. */
struct cpu_call {
	enum host_site site;
	struct vm *vm;
	u64 rcx;
	struct vcpu *leaving; /* VP.FLUSH: the vCPU, which leaves that CPU's list; else NULL */
	u64 status;
	_Atomic u32 done;
};

/* An element of the list of vCPUs that a CPU has; only touched on that CPU. See assoc.c. */
struct assoc {
	struct assoc *next;
	struct assoc *prev;
	bool linked;
	bool freed; /* the object that it is a part of is gone */
};

struct cpu {
	_Alignas(SL_CACHELINE) _Atomic u32 state;
	u32 index;
	u32 package;
	struct sl_lp *lp;
	struct vmm *vmm;
	struct sl_env *env;        /* of the lane that has the CPU */
	bool flushed;              /* a vCPU was taken off it; of its owner */
	struct cpu_call call;      /* made by the lane of this CPU, one at a time */
	_Atomic u32 srcu;          /* its lane's read section; see slot.c */
	u64 user_msr;              /* what the host takes the LP's user-return MSR to hold */
	struct assoc vcpus;        /* head of the list of vCPUs that are loaded here */
	struct assoc stillborn[2]; /* vCPU objects whose creation failed on this CPU */
};

/* ---- memory of a VM -------------------------------------------------------------------------- */

enum vm_range_init {
	VM_RANGE_FREE,    /* mapped on the first fault */
	VM_RANGE_PENDING, /* AUG after the TD is finalized */
	VM_RANGE_MAPPED,  /* ADD and EXTEND before; level 0 only */
};

/* A piece of the memory map (memslot). In 4 KB units; ranges are sorted and do not overlap. */
struct vm_range {
	u64 gfn;
	u64 pages;
	u8 level; /* of the leaves: 0 = 4 KB, 1 = 2 MB; gfn and pages are multiples of it */
	u8 init;  /* enum vm_range_init */
};

/* The flag of a memslot, as published to faults. */
enum vm_slot {
	VM_SLOT_VALID,
	VM_SLOT_INVALID, /* on its way out: a fault has to come again */
	VM_SLOT_GONE,    /* user space has deleted it, and may put it back */
};

/*
 * Mirror page table: the host's copy of the S-EPT's shape. The table that covers a gfn at a level
 * has a fixed place, and so has the S-EPT page behind it; a fault allocates nothing.
 */
struct mirror_table {
	_Atomic u64 spte[SL_ENTRIES];
};

struct mirror {
	struct mirror_table *table; /* [0] = root */
	u64 tables;
	/* Tables linked by an entry at this level (1..3) start here. */
	u64 first[MIRROR_ROOT_LEVEL + 1];
	struct hpa sept_base; /* S-EPT page of table 1; the root is a TDCX page */
};

/* Software SPTE. 0 = not present. */
#define SPTE_PRESENT BIT_ULL(0)
#define SPTE_LEAF    BIT_ULL(7)
#define SPTE_ADDR    GENMASK_ULL(51, 12) /* HPA of the page, or of the S-EPT page */
#define SPTE_FROZEN  0x5A0ull            /* not present, somebody is changing it */

/* ---- vCPU ------------------------------------------------------------------------------------ */

enum vcpu_mode {
	VCPU_OUTSIDE,
	/* + index of the CPU. Interrupts off: from the last look at requests until after the exit. */
	VCPU_IN_GUEST,
};

/* Bits of vcpu.requests. */
#define VCPU_REQ_SIGNAL 1u  /* leave vcpu_run() with -EINTR */
#define VCPU_REQ_EVENT  2u  /* an interrupt was posted */
#define VCPU_REQ_DEAD   4u  /* the VM is dead */
#define VCPU_REQ_ROOT   8u  /* the root is obsolete: no fault gets anywhere until it is reloaded */
#define VCPU_REQ_SLOTS  16u /* user space has put a memslot back */

struct vcpu {
	/* Shared with kickers and wakers. */
	_Alignas(SL_CACHELINE) _Atomic u32 mode;
	_Atomic u32 kick; /* 1: somebody waits for this vCPU to be outside the guest */
	_Atomic u32 requests;
	_Atomic u32 cpu;    /* index of the associated CPU, or CPU_NONE */
	_Atomic u32 wanted; /* index of the CPU on which it should run, or CPU_NONE */
	_Atomic u32 mutex;  /* 1: an ioctl on the vCPU, or on all of them, is under way */
	/* The lane that runs it. */
	_Alignas(SL_CACHELINE) struct vm *vm;
	u32 index;
	bool interrupt; /* delivered and not yet taken by a halt */
	bool halted;
	bool done;
	bool failed;    /* the guest program says so */
	u64 why;        /* status that it gives as reason */
	u64 vmcall_r10; /* answer to the last VMCALL */
	u64 vmcall_r11;
	u64 last_gfn; /* of the fault that went back to the guest unresolved; see enter-on-busy */
	bool unresolved;
	/* The last real exit, for hosts that look at it again; see held-off-exit. */
	bool has_exited;
	u64 exit_status;
	u64 exit_rdx, exit_r8, exit_r11, exit_r12, exit_r13;
	struct sl_guest *guest;
	/* Build and teardown. */
	_Alignas(SL_CACHELINE) struct assoc assoc;
	bool online; /* user space has it; vm.lock */
	struct hpa tdvpr;
	struct hpa tdcx[VCPU_TDCX_PAGES];
	bool created;   /* TDVPR belongs to the module */
	bool inited;    /* VP.INIT is done */
	u32 tdcx_count; /* so many TDCX pages do */
};

/* ---- VM -------------------------------------------------------------------------------------- */

enum vm_state {
	VM_EMPTY,    /* no TD */
	VM_BUILDING, /* TD exists, not finalized: PAGE.ADD, no TRACK */
	VM_RUNNABLE,
	VM_LEAKED, /* torn down, but pages or the key id stayed with the module */
};

/* Values of vm.terminated: the key id is being released, is gone. */
#define VM_TERMINATING 1u
#define VM_TERMINATED  2u

struct vm_config {
	u32 vcpus;
	u64 pages; /* 4 KB pages of GPA space, from gfn 0 on */
	bool sept_ve_disable;
	bool debug;      /* TD attribute: TDH.MEM.RD and TDH.MEM.WR work */
	bool unfinished; /* never finalized: for raw SEAMCALLs, no vCPU can run */
	/*
	 * vm_build() stops before FINALIZE, for ioctls to go on, and leaves out, one bit each, the vCPUs that
	 * are to be created and to be initialized by them.
	 */
	bool stepwise;
	u64 absent_vcpus;
	u64 bare_vcpus;
	const struct vm_range *ranges;
	u32 range_count;
};

struct vm {
	_Alignas(SL_CACHELINE) struct sl_rwlock mmu_lock;
	/*
	 * Invalidation. in_progress and the range: mmu_lock. seq: written under mmu_lock held for
	 * write, read before mmu_lock is taken.
	 */
	_Alignas(SL_CACHELINE) _Atomic u64 mmu_invalidate_seq;
	u32 mmu_invalidate_in_progress;
	u64 mmu_invalidate_start;
	u64 mmu_invalidate_end;
	/* In the order in which they are taken. */
	struct sl_mutex lock;       /* vCPUs come into being; the TD is made */
	struct sl_mutex slots_lock; /* changes of memslots and attributes; outside mmu_lock */
	struct sl_rwlock gmem_lock; /* guest_memfd: populating and punching holes for write */
	u32 created_vcpus;          /* lock */
	u32 online_vcpus;           /* lock */
	/* Read at every entry. */
	_Alignas(SL_CACHELINE) _Atomic u32 keep_out;
	_Atomic u32 state;
	_Atomic u32 prefault_allowed;
	_Atomic u32 dead;
	_Atomic u32 bugged;
	_Atomic u32 terminated; /* VM_TERMINATING, then VM_TERMINATED; see key-check */
	/* Constant once vmm_init() is done. */
	_Alignas(SL_CACHELINE) struct vmm *vmm;
	u32 index;
	u64 pages;
	u64 base_pfn; /* guest_memfd: pfn = base_pfn + gfn */
	bool sept_ve_disable;
	bool debug;
	bool unfinished;
	bool stepwise;
	struct vm_range range[VM_RANGES_MAX];
	u32 range_count;
	_Atomic u32 slot[VM_RANGES_MAX]; /* enum vm_slot; slots_lock to write, SRCU to read */
	_Atomic u64 *shared;             /* attribute, one bit per gfn; slots_lock to write */
	/* One bit per 2 MB, never taken back: small pages only. mmu_lock, for write to write. */
	_Atomic u64 *small;
	_Atomic u64 *
		owed; /* one bit per gfn: an install met BUSY and has not come back; see on-hp-timeout */
	struct mirror mirror;
	struct vcpu *vcpu;
	u32 vcpu_count;
	u64 params_pa;      /* shared page with TD_PARAMS */
	_Atomic u64 source; /* page that PAGE.ADD copies from, while memory is added; slots_lock */
	u64 absent_vcpus;
	u64 bare_vcpus;
	/* The TD; build and teardown. */
	u32 hkid;     /* 0 = none */
	bool created; /* TDR belongs to the module */
	struct hpa tdr;
	struct hpa tdcx[VM_TDCX_PAGES];
	u32 tdcx_count;     /* so many belong to the module */
	_Atomic u32 leaked; /* pages whose owner is uncertain */
	/* What stopped the last build; for messages. */
	_Atomic u32 failed_site; /* enum host_site */
	_Atomic u64 failed_status;
};

/* ---- the VMM --------------------------------------------------------------------------------- */

struct vmm_config {
	const struct host_policy *policy;
	u32 lps;
	u32 packages;
	const struct vm_config *vms;
	u32 vm_count;
	u32 spare_pages;   /* private pages that the VMM itself never uses */
	bool dynamic_pamt; /* as in struct sl_machine_config */
};

struct vmm {
	struct sl_machine *machine;
	const struct host_policy *policy;
	struct cpu *cpu;
	u32 cpu_count;
	u32 package_count;
	struct vm vm[VMM_VMS_MAX];
	u32 vm_count;
	/* MNG.CREATE; VPFLUSHDONE + CACHE.WB + FREEID as one section. */
	struct sl_mutex tdx_lock;
	/*
	 * Key ids in use; free control pages, one bit each: who gave which page back first makes no
	 * difference.
	 */
	struct sl_mutex page_lock;
	u64 hkids_used;
	u64 *free_page;
	u64 control_pfn; /* of the first one, from SL_PRIVATE_BASE */
	u32 free_count;
	u32 free_max;
	u64 private_pages;
	struct hpa spare; /* the first spare page */
	/* Dynamic PAMT, see pamt.c; NULL: it is off. By 2 MB range: references, and the pair's fixed place. */
	_Atomic u32 *pamt_refs;
	struct sl_mutex pamt_lock;
	struct hpa pamt_pairs;
};

/* 0, or -EINVAL: counts out of bounds, ranges unsorted, misaligned, outside, or 2 MB and MAPPED. */
int vmm_config_check(const struct vmm_config *cfg) SL_WARN_UNUSED;
/* Private memory (4 KB pages) that this configuration needs, for struct sl_machine_config. */
u64 vmm_private_pages(const struct vmm_config *cfg);
/* Arena bytes (address space) that vmm_init() takes. */
size_t vmm_arena_size(const struct vmm_config *cfg);
/* @cfg has passed vmm_config_check(); its arrays are not used afterwards. */
struct vmm *vmm_init(struct sl_arena *arena, const struct vmm_config *cfg,
		     struct sl_machine *machine, struct sl_env *env);

/* Initialises the module on all CPUs, one after another, from the calling lane. 0 or -errno. */
int vmm_bring_up(struct vmm *vmm, struct sl_env *env) SL_WARN_UNUSED;

/* The lane with @env gets the CPU, and waits while another lane has it. */
struct cpu *cpu_take(struct vmm *vmm, u32 index, struct sl_env *env);
void cpu_put(struct cpu *cpu);
/* Opens the interrupt window: kicks are taken, SEAMCALLs asked for by other CPUs are made. */
void cpu_open_interrupts(struct cpu *cpu);

/* ---- life of a VM ---------------------------------------------------------------------------- */

/* The guest code behind a vCPU; may be called again between teardown and build. */
void vcpu_set_guest(struct vcpu *v, struct sl_guest *guest);

/*
 * Builds the TD: control structures, vCPUs, initial memory, finalize. 0; -EBUSY: a site of class
 * RETURN_BUSY was busy; -EAGAIN: no entropy; -ENOSPC: no key id; -ENOMEM: no control page left, or
 * the VM has leaked; -EIO: another status (vm->failed_site, vm->failed_status). On failure the
 * half-built TD is torn down again.
 */
int vm_build(struct vm *vm, struct cpu *cpu) SL_WARN_UNUSED;
/* Takes the TD apart, from whatever state. No vCPU may be in vcpu_run(). 0, or -EIO: leaked. */
int vm_teardown(struct vm *vm, struct cpu *cpu);

/*
 * Releases the key id of a TD whose threads may still map, split and zap. From then on a zap reclaims, and
 * vm_teardown() does the rest. 0; -EBUSY: a vCPU is in vcpu_run(); -EIO: the key id leaks.
 */
int vm_terminate(struct vm *vm, struct cpu *cpu) SL_WARN_UNUSED;

/* ---- building step by step: ioctls of a VM whose configuration says stepwise ------------------ */

/*
 * 0 or -errno: -EBUSY: a vCPU is being created, or a site of class RETURN_BUSY was busy; -EAGAIN: user
 * space should call again; -EINVAL: not at this point of the VM's life; as for vm_build() otherwise.
 */
int vm_create_vcpu(struct vm *vm, struct cpu *cpu, u32 index) SL_WARN_UNUSED;
int vm_init_vcpu(struct vm *vm, struct cpu *cpu, u32 index) SL_WARN_UNUSED;
int vm_add_memory(struct vm *vm, struct cpu *cpu, u64 gfn, u64 pages, bool measure) SL_WARN_UNUSED;
int vm_finalize(struct vm *vm, struct cpu *cpu) SL_WARN_UNUSED;

/* ---- running --------------------------------------------------------------------------------- */

/*
 * Runs the vCPU until its guest is done (0; see v->failed), a signal is pending (-EINTR), the VM is dead
 * (-EIO), or, with hosts that mix up their errnos, a SEAMCALL was BUSY (-EAGAIN: run it again).
 */
int vcpu_run(struct vcpu *v, struct cpu *cpu) SL_WARN_UNUSED;

/* Ends vcpu_run() with -EINTR, once. */
void vcpu_signal(struct vcpu *v);
/* Posts an interrupt: ends a halt, now or the next one. */
void vcpu_interrupt(struct vcpu *v);
/* Every vCPU leaves its run loop with -EIO, now and later. */
void vm_mark_dead(struct vm *vm);
bool vm_is_dead(struct vm *vm);

/* Makes the vCPU run on another CPU: its thread leaves vcpu_run() with -EINTR and finds v->wanted. */
void vcpu_migrate(struct vcpu *v, u32 cpu);
/*
 * Flushes every vCPU that is associated with @target, as a CPU does that goes offline. It may be used again at
 * once. 0 or -EIO.
 */
int cpu_flush_vcpus(struct cpu *target, struct cpu *me);
/*
 * Flushes @v from @target, the CPU it is associated with: at once if no lane has that CPU, else by
 * the lane that has it. 0 or -EIO.
 */
int vcpu_flush_on(struct vcpu *v, struct cpu *target, struct cpu *me);

/* ---- memory operations of VMM threads -------------------------------------------------------- */

/*
 * Maps @leaves leaves from @gfn on, as faults without a vCPU (prefault). 0 or -errno; -EAGAIN: a
 * memslot is being deleted, user space should call again.
 */
int host_map(struct vm *vm, struct cpu *cpu, u64 gfn, u64 leaves) SL_WARN_UNUSED;
/* Zaps @leaves leaves from @gfn on, mapped or not (punch hole). 0, or -EIO: the VM is bugged. */
int host_zap(struct vm *vm, struct cpu *cpu, u64 gfn, u64 leaves);
/* Splits the 2 MB mappings among @leaves leaves from @gfn on. 0, or -EIO. */
int host_split(struct vm *vm, struct cpu *cpu, u64 gfn, u64 leaves);
/*
 * Promotes every 2 MB around one of @leaves leaves from @gfn on whose small pages are all mapped, if the policy
 * wants that. 0; -EAGAIN: some are not alike, come back; or -EIO.
 */
int host_promote(struct vm *vm, struct cpu *cpu, u64 gfn, u64 leaves);
/* Private-shared conversion of [gfn, gfn + pages). 0 or -errno. */
int vm_set_shared(struct vm *vm, struct cpu *cpu, u64 gfn, u64 pages, bool shared);
/*
 * User space unmaps the shared memory that stands behind [gfn, gfn + pages); an invalidation covers all of
 * it, whatever is private there by now.
 */
int host_unmap_shared(struct vm *vm, struct cpu *cpu, u64 gfn, u64 pages);
/* Deletes the memslot around @gfn, with everything that is mapped in it. 0 or -errno. */
int vm_delete_slot(struct vm *vm, struct cpu *cpu, u64 gfn);
/* Puts a deleted memslot back, empty. 0, or -EEXIST. */
int vm_create_slot(struct vm *vm, struct cpu *cpu, u64 gfn);
/* Level of the leaf that covers @gfn; -EFAULT outside the memory map. */
int vm_gfn_level(const struct vm *vm, u64 gfn);

/* ---- for raw SEAMCALLs ------------------------------------------------------------------------ */

/* The S-EPT page whose place is under the entry for @gfn at @level, 1 to MIRROR_ROOT_LEVEL. */
struct hpa vm_sept_page(const struct vm *vm, u64 gfn, u32 level);

/* ---- for oracles ----------------------------------------------------------------------------- */

struct host_check {
	u64 leaves[2]; /* present mirror leaves by level */
	u64 tables;    /* linked mirror tables, root not counted */
	u64 frozen;    /* SPTEs in the FROZEN state: none when nothing runs */
	u64 orphans;   /* present entries in tables that are not linked: none, ever */
	u32 in_guest;  /* vCPUs in mode IN_GUEST */
	u32 kicks;     /* kicks not acknowledged */
	bool keep_out;
};

/* Looks through the mirror of a VM at rest. */
void host_check(const struct vm *vm, struct host_check *out);

/* The mirror's entry for @gfn at @level, whatever is above it. */
u64 mirror_peek(const struct vm *vm, u64 gfn, u32 level);

#endif
