/* SPDX-License-Identifier: MIT */
/*
 * The TDX module's binary interface as constants: statuses, operand ids, leaf numbers, register
 * file. Self-contained, C and C++.
 */
#ifndef SEAMLAB_TDX_ABI_H
#define SEAMLAB_TDX_ABI_H

#include <stdint.h>

#include <seamlab/api.h>
#include <seamlab/tdx_args.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Full 64-bit status values, low half zero: TDX_SUCCESS, TDX_OPERAND_BUSY, ... */
#define SL_STATUS(name, upper) static const uint64_t TDX_##name = (uint64_t)(upper) << 32;
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-variable"
#endif
#include <seamlab/tdx_status.def>
#define SL_NEW_STATUS(since, name, upper, who) SL_STATUS(name, upper)
#include <seamlab/tdx_release.def>
#undef SL_NEW_STATUS
#undef SL_STATUS
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif
/* Internal to the module: no leaf may return it; seen here only once the module has halted. */
#define TDX_UNINITIALIZE_ERROR (~0ull)

enum tdx_operand {
#define SL_OPERAND(name, id) TDX_OPERAND_ID_##name = (id),
#include <seamlab/tdx_operand.def>
#define SL_NEW_OPERAND(since, name, id) SL_OPERAND(name, id)
#include <seamlab/tdx_release.def>
#undef SL_NEW_OPERAND
#undef SL_OPERAND
};

enum tdx_seamcall {
#define SL_SEAMCALL(ident, number, name) SEAMCALL_##ident = (number),
#define SL_TDCALL(ident, number, name)
#include <seamlab/tdx_leaf.def>
#undef SL_SEAMCALL
#undef SL_TDCALL
#define SL_NEW_SEAMCALL(since, ident, number, name) SEAMCALL_##ident = (number),
#include <seamlab/tdx_release.def>
#undef SL_NEW_SEAMCALL
	TDX_SEAMCALL_COUNT = 64 /* those below are counted in statistics; migration is above */
};

enum tdx_tdcall {
#define SL_SEAMCALL(ident, number, name)
#define SL_TDCALL(ident, number, name) TDCALL_##ident = (number),
#include <seamlab/tdx_leaf.def>
#undef SL_SEAMCALL
#undef SL_TDCALL
	TDX_TDCALL_COUNT = 32
};

#define TDX_STATUS_CLASS_MASK  0xFFFFFFFF00000000ull
#define TDX_STATUS_DETAIL_MASK 0x00000000FFFFFFFFull
#define TDX_STATUS_ERROR       (1ull << 63)

/* VM exit reasons that a TD exit reports in RAX bits 15:0. */
enum tdx_exit_reason {
	EXIT_REASON_TRIPLE_FAULT = 2,
	EXIT_REASON_EXTERNAL_INTERRUPT = 1,
	EXIT_REASON_EPT_VIOLATION = 48,
	EXIT_REASON_EPT_MISCONFIG = 49,
	EXIT_REASON_TDCALL = 77,
};

/* Extended exit qualification, type field (RDX bits 3:0 of a TD exit). */
enum tdx_eeq_type {
	TDX_EEQ_NONE = 0,
	TDX_EEQ_ACCEPT = 1,
	TDX_EEQ_GPA_DETAILS = 2,
	TDX_EEQ_ATTR_WR = 5,
	TDX_EEQ_PENDING = 6,
};

/* Names for reports; NULL where the number names nothing. */
SL_API const char *tdx_status_name(uint64_t status);
SL_API const char *tdx_operand_name(uint32_t operand);
SL_API const char *tdx_seamcall_name(uint32_t leaf);
SL_API const char *tdx_tdcall_name(uint32_t leaf);

#ifdef __cplusplus
}
#endif

#endif
