/* SPDX-License-Identifier: MIT */
/*
 * What a guest may ask its host with TDG.VP.VMCALL: number in R11, arguments from R12 on, result in
 * R10 (0 = done). What the host does not know is answered with 0. Layer: base.
 */
#ifndef SL_BASE_VMCALL_H
#define SL_BASE_VMCALL_H

/* GHCI: wait for an interrupt. */
#define VMCALL_HLT 12ull
/* GHCI: convert memory. R12 = GPA (bit 47: to shared), R13 = bytes. */
#define VMCALL_MAP_GPA 0x10001ull
/* The program has ended: do not enter this vCPU again. R12 = 0 done, 1 failed; R13 = status. */
#define VMCALL_DONE 0x5EA0ull

/* Results. */
#define VMCALL_RETRY   1ull /* MAP_GPA stopped at the GPA in R11 */
#define VMCALL_INVALID 0x8000000000000000ull

#endif
