/* SPDX-License-Identifier: MIT */
/*
 * SEAMCALL and TDCALL under the names, with the registers and with the structure that Linux has for
 * them, so that a kernel's own wrappers and a guest's own code run on the software module; and what
 * such a program needs around them: a machine, LPs for its threads, guests that are C functions.
 *
 * A file that has struct tdx_module_args, the six calls or status names from headers of its own (a
 * kernel's <asm/tdx.h>) defines SEAMLAB_OWN_TDX_H before it includes this one or <seamlab/module.h>:
 * then neither declares any of them. The layout is the same, so such files link as they are.
 *
 * operation                | needs outside exclusion
 * -------------------------|------------------------------------------------
 * the six calls            | no; they work on the calling thread's LP
 * sl_lp_bind               | no
 * sl_machine_create        | no
 * sl_machine_destroy       | yes, no thread may use the machine or have an LP of it any more
 * sl_machine_on_finding    | yes, before any LP runs
 * sl_guest_create          | no
 * sl_guest_destroy         | yes, no vCPU may run it any more
 */
#ifndef SEAMLAB_SEAMCALL_H
#define SEAMLAB_SEAMCALL_H

#include <seamlab/module.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the calls --------------------------------------------------------------------------------- */

/*
 * SEAMCALL and TDCALL @fn (RAX: leaf 15:0, version 23:16) on the calling thread's LP. Returns RAX.
 *
 * form        | registers in         | registers that come back in *args
 * ------------|----------------------|----------------------------------
 * (plain)     | RCX RDX R8-R11       | none
 * _ret        | RCX RDX R8-R11       | RCX RDX R8-R11
 * _saved_ret  | all                  | all
 *
 * What a form does not put in is zero for the module (on a CPU: whatever the registers hold).
 */
#ifndef SEAMLAB_OWN_TDX_H
SL_API uint64_t __seamcall(uint64_t fn, struct tdx_module_args *args);
SL_API uint64_t __seamcall_ret(uint64_t fn, struct tdx_module_args *args);
SL_API uint64_t __seamcall_saved_ret(uint64_t fn, struct tdx_module_args *args);
SL_API uint64_t __tdcall(uint64_t fn, struct tdx_module_args *args);
SL_API uint64_t __tdcall_ret(uint64_t fn, struct tdx_module_args *args);
SL_API uint64_t __tdcall_saved_ret(uint64_t fn, struct tdx_module_args *args);

/*
 * What a SEAMCALL returns that does not reach the module: the thread has no LP; a guest made it, for
 * which it is no instruction. *args stays as it was. A TDCALL outside a guest is refused as tdcall()
 * is.
 */
#define TDX_SEAMCALL_VMFAILINVALID 0x8000FF00FFFF0000ull
#define TDX_SEAMCALL_UD            0x8000FF0000000006ull
#endif

/* ---- threads and LPs --------------------------------------------------------------------------- */

/*
 * Makes @lp the calling thread's; NULL gives back the one that it has, which a thread has to do before
 * it ends if another one is to have the LP. -EBUSY: another thread has it. -EINVAL: not the LP of a
 * machine from sl_machine_create(). -EPERM: called in a guest.
 */
SL_API int sl_lp_bind(struct sl_lp *lp);

/* The calling thread's LP; in a guest, the one that it is on now. NULL: none. */
SL_API struct sl_lp *sl_lp_bound(void);

/* ---- machines ---------------------------------------------------------------------------------- */

/*
 * A machine with memory of its own, whose LPs work in real time on the threads that are bound to them.
 * NULL and errno: EINVAL (@cfg: LPs, packages, no memory or more than 1 TB of it), ENOMEM.
 */
SL_API struct sl_machine *sl_machine_create(const struct sl_machine_config *cfg);
/* NULL is fine. */
SL_API void sl_machine_destroy(struct sl_machine *m);

/*
 * @fn is called for each finding, a failed check inside the module, on the thread that made the call.
 * @kind is "module-halt", @where the flow. Without it a line goes to standard error.
 */
SL_API void sl_machine_on_finding(struct sl_machine *m,
				  void (*fn)(void *ctx, struct sl_lp *lp, const char *kind,
					     const char *where, const char *text),
				  void *ctx);

/* ---- guests that are C functions --------------------------------------------------------------- */

/* Smallest and usual size of a guest's stack, in bytes. */
#define SL_GUEST_STACK_MIN     16384u
#define SL_GUEST_STACK_DEFAULT 262144u

/*
 * A guest that is @fn(@arg), on a stack of @stack_size bytes (0: SL_GUEST_STACK_DEFAULT; rounded up to
 * pages, a guard page below). To be put behind one vCPU with sl_guest_bind(); the first TDH.VP.ENTER
 * calls @fn, on the thread that makes it. A TD exit in a TDCALL or a memory access leaves it, the next
 * TDH.VP.ENTER goes on there, perhaps on another thread: thread-local data, errno among it, and a value
 * of sl_lp_bound() are good up to the next TDCALL or access only. An interrupt makes it leave in front
 * of a TDCALL, an access or a sl_guest_pause(). The RIP of each is where it returns to.
 *
 * When @fn has returned the vCPU halts: each entry ends in TDG.VP.VMCALL<HLT>.
 *
 * NULL and errno: EINVAL (a stack below the minimum), ENOMEM. What @fn holds when the guest is
 * destroyed is not released.
 */
SL_API struct sl_guest *sl_guest_create(void (*fn)(void *arg), void *arg, size_t stack_size);
/* NULL is fine. */
SL_API void sl_guest_destroy(struct sl_guest *guest);
/*
 * The guest's #VE handler, from now on: it is called on the guest's stack, in the middle of a memory
 * access or of a TDCALL that names memory that is PENDING, with the guest's @arg. It reads the information
 * with TDG.VP.VEINFO.GET and accepts the page; what was interrupted begins again. Without a handler the
 * access returns SL_ACCESS_VE, and the TDCALL returns its @fn and has done nothing. By the guest itself,
 * or while no vCPU runs it.
 */
SL_API void sl_guest_set_ve_handler(struct sl_guest *guest, void (*handler)(void *arg));
/* Has @fn returned? Between two entries, @guest being from sl_guest_create(). */
SL_API bool sl_guest_returned(const struct sl_guest *guest);

/* For the guest itself: one turn of a waiting loop. Outside a guest: the same without the exit. */
SL_API void sl_guest_pause(void);

/* For the guest itself: 8 bytes at a private GPA. SL_ACCESS_OK; without a #VE handler SL_ACCESS_VE, too. */
static inline enum sl_access sl_guest_load(uint64_t gpa, uint64_t *value)
{
	return sl_guest_access(sl_lp_bound(), gpa, false, value);
}

static inline enum sl_access sl_guest_store(uint64_t gpa, uint64_t value)
{
	return sl_guest_access(sl_lp_bound(), gpa, true, &value);
}

#ifdef __cplusplus
}
#endif

#endif
