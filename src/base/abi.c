// SPDX-License-Identifier: MIT
/* Name look-up over the ABI tables. Layer: base. */
#include <seamlab/tdx_abi.h>

#include <stddef.h>

#include "base/types.h"

const char *tdx_status_name(u64 status)
{
	if (status == TDX_UNINITIALIZE_ERROR)
		return "TDX_UNINITIALIZE_ERROR";
	switch (status >> 32) {
#define SL_STATUS(name, upper) \
	case upper:            \
		return "TDX_" #name;
#include <seamlab/tdx_status.def>
#define SL_NEW_STATUS(since, name, upper, who) SL_STATUS(name, upper)
#include <seamlab/tdx_release.def>
#undef SL_NEW_STATUS
#undef SL_STATUS
	default:
		return NULL;
	}
}

const char *tdx_operand_name(u32 operand)
{
	switch (operand) {
#define SL_OPERAND(name, id) \
	case id:             \
		return #name;
#include <seamlab/tdx_operand.def>
#define SL_NEW_OPERAND(since, name, id) SL_OPERAND(name, id)
#include <seamlab/tdx_release.def>
#undef SL_NEW_OPERAND
#undef SL_OPERAND
	default:
		return NULL;
	}
}

const char *tdx_seamcall_name(u32 leaf)
{
	switch (leaf) {
#define SL_SEAMCALL(ident, number, name) \
	case number:                     \
		return name;
#define SL_TDCALL(ident, number, name)
#include <seamlab/tdx_leaf.def>
#define SL_NEW_SEAMCALL(since, ident, number, name) SL_SEAMCALL(ident, number, name)
#include <seamlab/tdx_release.def>
#undef SL_NEW_SEAMCALL
#undef SL_SEAMCALL
#undef SL_TDCALL
	default:
		return NULL;
	}
}

const char *tdx_tdcall_name(u32 leaf)
{
	switch (leaf) {
#define SL_SEAMCALL(ident, number, name)
#define SL_TDCALL(ident, number, name) \
	case number:                   \
		return name;
#include <seamlab/tdx_leaf.def>
#undef SL_SEAMCALL
#undef SL_TDCALL
	default:
		return NULL;
	}
}
