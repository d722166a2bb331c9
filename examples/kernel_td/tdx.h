/* SPDX-License-Identifier: MIT */
/*
 * What a kernel has between its code and the instructions: one function for each SEAMCALL that the
 * host makes, in tdx_host.c, and the guest's side, in tdx_guest.c. Only this header knows that a
 * software module answers.
 */
#ifndef KERNEL_TD_TDX_H
#define KERNEL_TD_TDX_H

#include <stdbool.h>
#include <stdint.h>

#include <seamlab/seamcall.h>

typedef uint64_t u64;

#define PAGE_SIZE 4096ull

/* A SEAMCALL's outcome without its operand. */
static inline u64 tdx_class(u64 status)
{
	return status & TDX_STATUS_CLASS_MASK;
}

/* PAUSE. In a guest of the software module it is where interrupts come in. */
static inline void cpu_relax(void)
{
	sl_guest_pause();
}

/* ---- host: each returns RAX. @level is the S-EPT level of the entry, 0 for 4 KB pages. ------- */

u64 tdh_sys_init(void);
u64 tdh_sys_lp_init(void);
u64 tdh_sys_config(u64 tdmr_array, u64 count, u64 hkid);
u64 tdh_sys_key_config(void);
/* *next: how far the TDMR may be used. */
u64 tdh_sys_tdmr_init(u64 tdmr, u64 *next);

u64 tdh_mng_create(u64 tdr, u64 hkid);
u64 tdh_mng_key_config(u64 tdr);
u64 tdh_mng_addcx(u64 tdr, u64 page);
u64 tdh_mng_init(u64 tdr, u64 params, u64 *extended);
u64 tdh_mr_finalize(u64 tdr);
u64 tdh_mng_vpflushdone(u64 tdr);
u64 tdh_phymem_cache_wb(bool resume);
u64 tdh_mng_key_freeid(u64 tdr);
u64 tdh_phymem_page_reclaim(u64 page, u64 *type, u64 *owner, u64 *size);
u64 tdh_phymem_page_wbinvd(u64 page, u64 hkid);

u64 tdh_vp_create(u64 tdr, u64 tdvpr);
u64 tdh_vp_addcx(u64 tdvpr, u64 page);
u64 tdh_vp_init(u64 tdvpr, u64 rcx);
u64 tdh_vp_flush(u64 tdvpr);
/* Runs the vCPU; *args brings the exit's registers. */
u64 tdh_vp_enter(u64 tdvpr, struct tdx_module_args *args);

u64 tdh_mem_sept_add(u64 tdr, u64 gpa, int level, u64 page, u64 *entry, u64 *state);
u64 tdh_mem_page_add(u64 tdr, u64 gpa, u64 page, u64 source, u64 *entry, u64 *state);
u64 tdh_mr_extend(u64 tdr, u64 gpa);
u64 tdh_mem_page_aug(u64 tdr, u64 gpa, int level, u64 page, u64 *entry, u64 *state);
u64 tdh_mem_range_block(u64 tdr, u64 gpa, int level, u64 *entry, u64 *state);
u64 tdh_mem_track(u64 tdr);
u64 tdh_mem_page_remove(u64 tdr, u64 gpa, int level, u64 *entry, u64 *state);

/* ---- guest ------------------------------------------------------------------------------------- */

#define TDVMCALL_REGISTERS 0xFC00ull /* R10 to R15 */

/* A hypercall; returns R10. */
u64 tdx_hypercall(u64 number, u64 r12, u64 r13);
/* Makes [start, end) the guest's own, in the largest pages that the host has mapped. */
bool tdx_accept_memory(u64 start, u64 end);
/* Reads the information of a #VE and accepts the page that it is about. False: not resolved. */
bool tdx_handle_virt_exception(void);

#endif
