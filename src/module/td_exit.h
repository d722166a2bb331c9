/* SPDX-License-Identifier: MIT */
/* TD exits: what TDH.VP.ENTER returns with. Layer: module, private. */
#ifndef SL_MODULE_TD_EXIT_H
#define SL_MODULE_TD_EXIT_H

#include "module/machine.h"
#include "module/sept.h"

#define EPT_QUAL_READ  BIT_ULL(0)
#define EPT_QUAL_WRITE BIT_ULL(1)

/* Extended qualification of ACCEPT and ATTR.* exits. */
static inline u64 eeq_info(enum tdx_eeq_type type, u32 level_wanted, u32 level_stopped,
			   u32 public_state, bool leaf)
{
	return type | (u64)(level_wanted | level_stopped << 3 | public_state << 6 | (u32)leaf << 14)
			      << 32;
}

/* EPT violation; the guest re-executes the instruction when it is entered again. */
void td_exit_ept_violation(struct sl_lp *lp, u64 gpa, u64 qualification, u64 extended);
/*
 * An access to the private page at @gpa is not possible, because of the entry @entry. SL_ACCESS_VE: #VE
 * was injected. Else a TD exit is pending; SL_ACCESS_FATAL if #VE could not be injected.
 */
enum sl_access td_ept_violation(struct sl_lp *lp, u64 gpa, u64 qualification, u64 entry);
/* Any other fault-like exit without details. */
void td_exit_async(struct sl_lp *lp, u64 rax);

#endif
