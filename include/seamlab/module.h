/* SPDX-License-Identifier: MIT */
/*
 * The software TDX module: a machine with logical processors (LPs), packages, simulated physical
 * memory and the module's state, driven by SEAMCALLs and TDCALLs.
 *
 * Any SEAMCALL or TDCALL with any operands, in any order, returns a 64-bit status. A failed check
 * inside the module is a module halt: it is reported as a finding and every later call on that
 * machine returns TDX_UNINITIALIZE_ERROR.
 *
 * operation              | needs outside exclusion
 * -----------------------|----------------------------------------------
 * seamcall, tdcall       | one caller per LP at a time; LPs run in parallel
 * sl_lp_interrupt_*      | no (take: the LP's own lane)
 * sl_machine_init, bind  | yes, before any LP runs
 *
 * P1: every call returns within a bounded number of its own steps (all module locks are try-locks),
 * TDH.VP.ENTER excepted, which runs the guest until a TD exit.
 */
#ifndef SEAMLAB_MODULE_H
#define SEAMLAB_MODULE_H

#include <stdbool.h>
#include <stddef.h>

#include <seamlab/api.h>
/* Defined by files with a kernel's own headers, which have the same names. */
#ifdef SEAMLAB_OWN_TDX_H
#include <stdint.h>
#else
#include <seamlab/tdx_abi.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct tdx_module_args;
struct sl_env;
struct sl_lp;
struct sl_machine;

enum sl_release {
#define SL_RELEASE(ident, patch, name) SL_RELEASE_##ident,
#include <seamlab/tdx_release.def>
#undef SL_RELEASE
	SL_RELEASES
};

/* "1.5.01"; NULL for a number that is no release. */
SL_API const char *sl_release_name(enum sl_release release);
/* False if no release has this name. */
SL_API bool sl_release_find(const char *name, enum sl_release *release);

/* Has the release dynamic PAMT, TDH.PHYMEM.PAMT.ADD and TDH.PHYMEM.PAMT.REMOVE? */
SL_API bool sl_release_has_dynamic_pamt(enum sl_release release);

enum sl_flavour {
	SL_PUBLISHED, /* bug for bug */
	SL_HARDENED,  /* same interface, findings mended */
};

#define SL_LPS_MAX      64
#define SL_PACKAGES_MAX 8
#define SL_HKIDS        64
/* HKIDs below this one belong to the VMM (shared), the rest are private. */
#define SL_HKID_PRIVATE 32
#define SL_HKID_SHIFT   46
/* First private physical address; below it lies a little shared memory. 1 GB aligned. */
#define SL_PRIVATE_BASE (1ull << 30)
#define SL_SHARED_PAGES 64

struct sl_machine_config {
	enum sl_release release;
	enum sl_flavour flavour;
	uint32_t lps;                 /* 1..SL_LPS_MAX */
	uint32_t packages;            /* 1..SL_PACKAGES_MAX; LP i is on package i % packages */
	uint64_t private_pages;       /* 4 KB pages from SL_PRIVATE_BASE on */
	uint32_t zero_step_threshold; /* EPT violations at one RIP before GPAs are listed; 6 */
	bool hp_timeout;              /* host-priority timeout on (as in the real module) */
	bool contents;                /* TD pages have contents (zeroing, reads and writes) */
	bool measurement;             /* MRTD, RTMRs and reports are computed; else they are zero */
	bool interrupts; /* any poll of an interruptible SEAMCALL may find an interrupt */
	/* TDH.SYS.CONFIG may switch dynamic PAMT on; only if sl_release_has_dynamic_pamt(). */
	bool dynamic_pamt;
};

/*
 * Release 1.5.01, published, 1 LP, 1 package, threshold 6, timeout and measurement on, the rest off.
 */
SL_API void sl_machine_config_init(struct sl_machine_config *cfg);

/* Bytes of arena that a machine with this configuration needs (address space, not resident). */
SL_API size_t sl_machine_arena_size(const struct sl_machine_config *cfg);

/*
 * Builds a machine at the start of @arena, which must be zero, page aligned and of at least
 * sl_machine_arena_size() bytes. The module is in state INIT_PENDING.
 */
SL_API struct sl_machine *sl_machine_init(const struct sl_machine_config *cfg, void *arena,
					  size_t size);

/* Pointer to the byte at shared physical address @pa, good to the end of its 4 KB page; NULL if
 * @pa is not shared memory.
 */
SL_API void *sl_machine_shared(struct sl_machine *m, uint64_t pa);

/* True once an internal check of the module has failed. */
SL_API bool sl_machine_halted(const struct sl_machine *m);

/* The LP with this index; its env must be set before it is used. */
SL_API struct sl_lp *sl_machine_lp(struct sl_machine *m, uint32_t index);
SL_API void sl_lp_set_env(struct sl_lp *lp, struct sl_env *env);
SL_API struct sl_env *sl_lp_env(const struct sl_lp *lp);
SL_API uint32_t sl_lp_index(const struct sl_lp *lp);

/* Platform conditions that make TDH.VP.ENTER or TDH.VP.INIT refuse (0 = none). */
enum sl_platform {
	SL_PLATFORM_NT4 = 1,          /* CPUID limit set: LIMIT_CPUID_MAXVAL_SET */
	SL_PLATFORM_TSC_ADJUST = 2,   /* IA32_TSC_ADJUST changed: INCONSISTENT_MSR */
	SL_PLATFORM_TSC_ROLLBACK = 4, /* the TSC went backwards: TSC_ROLLBACK */
	SL_PLATFORM_NO_MONITOR = 8,   /* MONITOR disabled: INCORRECT_MSR_VALUE */
};
SL_API void sl_lp_set_platform(struct sl_lp *lp, uint32_t flags);

/*
 * SEAMCALL and TDCALL. RAX in: leaf 15:0, version 23:16. Returns RAX; *args is read and written as
 * the leaf's register table says. tdcall() is only meaningful inside a guest that TDH.VP.ENTER
 * runs on this LP; elsewhere it returns TDX_OPERAND_INVALID with operand RAX.
 */
#define TDX_RAX_VERSION_SHIFT 16
SL_API uint64_t seamcall(struct sl_lp *lp, uint64_t rax, struct tdx_module_args *args);
SL_API uint64_t tdcall(struct sl_lp *lp, uint64_t rax, struct tdx_module_args *args);
/* The highest version of this SEAMCALL leaf that the machine's release takes: 0 or 1. */
SL_API uint32_t sl_seamcall_version(const struct sl_machine *m, uint32_t leaf);

/*
 * A guest. run() executes guest code on @lp from the guest's current RIP and returns when a TD exit
 * is pending: it looks with sl_guest_exit_pending() after each tdcall() and sl_guest_access(), before
 * it uses their results, and with sl_guest_exiting() between two instructions, where interrupts come.
 *
 * With leave() a guest has none of that to do, because it stands on a stack of its own: tdcall() and
 * sl_guest_access() call leave() when a TD exit is pending. leave() goes back to run(), which returns;
 * the next run() comes back out of leave(), which returns the LP that the guest is on then. The
 * instruction goes on there: it begins again, or has the result with which the exit completed it.
 * A guest that never runs again stays in leave(). NULL: run() sees the exits.
 *
 * ve() is the #VE handler of such a guest: it is called in the middle of the instruction, which begins
 * again afterwards, on the LP that ve() returns. NULL, or ve() returning NULL: the access returns
 * SL_ACCESS_VE, and the TDCALL its own RAX with nothing done, sl_guest_ve_injected() being true.
 */
struct sl_guest {
	void (*run)(struct sl_guest *guest, struct sl_lp *lp);
	struct sl_lp *(*leave)(struct sl_guest *guest);
	struct sl_lp *(*ve)(struct sl_guest *guest);
};

/* Puts @guest behind the vCPU whose TDVPR page is at @tdvpr_hpa. -EINVAL if that is no TDVPR. */
SL_API int sl_guest_bind(struct sl_machine *m, uint64_t tdvpr_hpa, struct sl_guest *guest);

enum sl_access {
	SL_ACCESS_OK,
	SL_ACCESS_EXIT,  /* a TD exit is pending: run() must return. Not with leave() */
	SL_ACCESS_VE,    /* #VE was injected: go on in the #VE handler */
	SL_ACCESS_FATAL, /* double fault: the guest cannot go on; a TD exit is pending */
};

/*
 * One guest memory access to a private GPA (8 bytes; *value read or written if contents are on). With
 * leave() the guest's RIP is where this returns to.
 */
SL_API enum sl_access sl_guest_access(struct sl_lp *lp, uint64_t gpa, bool write, uint64_t *value);
/* True when run() has to return now: the last tdcall() or access did not end in the guest. */
SL_API bool sl_guest_exit_pending(const struct sl_lp *lp);
/*
 * True when the last tdcall() named memory that is PENDING and got #VE instead: nothing happened, RAX
 * and RIP are as before. The guest goes on in the #VE handler, and from there to the same TDCALL.
 */
SL_API bool sl_guest_ve_injected(const struct sl_lp *lp);
/* The same at an instruction boundary, where a pending interrupt becomes a TD exit. */
SL_API bool sl_guest_exiting(struct sl_lp *lp);
/* The guest's RIP, which the zero-step mitigation watches. */
SL_API uint64_t sl_guest_rip(const struct sl_lp *lp);
SL_API void sl_guest_set_rip(struct sl_lp *lp, uint64_t rip);
/*
 * After a TD exit in the middle of a TDCALL that the module completed (VMCALL, host-priority
 * timeout): true, once, with the guest's RAX; RIP has then moved past the TDCALL by
 * SL_TDCALL_LENGTH.
 */
SL_API bool sl_guest_tdcall_completed(struct sl_lp *lp, uint64_t *rax,
				      struct tdx_module_args *args);
#define SL_TDCALL_LENGTH 1

/*
 * For guests with leave(): tdcall() with this RIP, and an instruction boundary at it, where the guest
 * leaves if an interrupt is pending. The latter does nothing outside such a guest.
 */
SL_API uint64_t sl_guest_tdcall(struct sl_lp *lp, uint64_t rip, uint64_t rax,
				struct tdx_module_args *args);
SL_API void sl_guest_step(struct sl_lp *lp, uint64_t rip);

/*
 * One MSR of the LP that stands for those which a guest may use and a TD exit does not give back: the
 * module leaves SL_USER_MSR_RESET in it when a guest has run, and nothing when none has.
 */
#define SL_USER_MSR_RESET 0
SL_API uint64_t sl_lp_user_msr(const struct sl_lp *lp);
SL_API void sl_lp_set_user_msr(struct sl_lp *lp, uint64_t value);

/*
 * Interrupts. raise() marks one as pending, however many come: a running guest exits, an interruptible flow
 * lets go. take() is the LP opening its interrupts: whatever is pending is taken. wait() returns once
 * none is pending; @env is the waiter's.
 */
SL_API void sl_lp_interrupt_raise(struct sl_lp *lp);
SL_API bool sl_lp_interrupt_take(struct sl_lp *lp);
SL_API void sl_lp_interrupt_wait(struct sl_lp *lp, struct sl_env *env);

#ifdef __cplusplus
}
#endif

#endif
