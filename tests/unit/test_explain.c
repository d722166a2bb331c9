// SPDX-License-Identifier: MIT
/*
 * The tables behind seamlab explain and seamlab matrix, against numbers written down here; every status
 * with every operand; logs of every kind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <seamlab/explain.h>
#include <seamlab/tdx_abi.h>

#include "base/rng.h"
#include "module/contention.h"
#include "module/release.h"
#include "report/explain.h"

static const enum sl_release releases[] = { SL_RELEASE_1_5_01, SL_RELEASE_1_5_25 };

/* ---- tables ---------------------------------------------------------------------------------- */

static const struct {
	u32 id;
	const char *name;
	bool new;
} operand_list[] = {
	{ 0, "RAX", 0 },
	{ 1, "RCX", 0 },
	{ 2, "RDX", 0 },
	{ 3, "RBX", 0 },
	{ 5, "RBP", 0 },
	{ 6, "RSI", 0 },
	{ 7, "RDI", 0 },
	{ 8, "R8", 0 },
	{ 9, "R9", 0 },
	{ 10, "R10", 0 },
	{ 11, "R11", 0 },
	{ 12, "R12", 0 },
	{ 13, "R13", 0 },
	{ 14, "R14", 0 },
	{ 15, "R15", 0 },
	{ 64, "ATTRIBUTES", 0 },
	{ 65, "XFAM", 0 },
	{ 66, "EXEC_CONTROLS", 0 },
	{ 67, "EPTP_CONTROLS", 0 },
	{ 68, "MAX_VCPUS", 0 },
	{ 69, "CPUID_CONFIG", 0 },
	{ 70, "TSC_FREQUENCY", 0 },
	{ 71, "NUM_L2_VMS", 0 },
	{ 72, "IA32_ARCH_CAPABILITIES_CONFIG", 0 },
	{ 95, "PAGE", 0 },
	{ 96, "TDMR_INFO_PA", 0 },
	{ 97, "GPA_LIST_ENTRY", 0 },
	{ 98, "MIG_BUFF_LIST_ENTRY", 0 },
	{ 99, "NEW_PAGE_LIST_ENTRY", 0 },
	{ 128, "TDR", 0 },
	{ 129, "TDCX", 0 },
	{ 130, "TDVPR", 0 },
	{ 132, "REG_PAGE", 0 },
	{ 144, "TDCS", 0 },
	{ 145, "TDVPS", 0 },
	{ 146, "SEPT_TREE", 0 },
	{ 147, "SEPT_ENTRY", 0 },
	{ 168, "RTMR", 0 },
	{ 169, "TD_EPOCH", 0 },
	{ 170, "L2_VAPIC_GPA", 0 },
	{ 171, "MIGSC", 0 },
	{ 172, "OP_STATE", 0 },
	{ 173, "MIG", 0 },
	{ 174, "SERVTD_BINDINGS", 0 },
	{ 176, "METADATA_FIELD", 0 },
	{ 177, "NUM_VCPUS", 1 },
	{ 178, "CPUID_FIXED0_BITMAP", 1 },
	{ 184, "SYS", 0 },
	{ 185, "TDMR", 0 },
	{ 186, "KOT", 0 },
	{ 187, "KET", 0 },
	{ 188, "WBCACHE", 0 },
};

static json_t *tables(enum sl_release r)
{
	char *text = sl_tables(r);
	json_t *o;

	assert_non_null(text);
	o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(o);
	free(text);
	return o;
}

static void test_operands(void **state)
{
	(void)state;
	for (u32 r = 0; r < 2; r++) {
		json_t *o = tables(releases[r]), *t = json_object_get(o, "operand");
		u32 n = 0;

		for (u32 i = 0; i < ARRAY_SIZE(operand_list); i++) {
			json_t *id = json_object_get(t, operand_list[i].name);

			if (operand_list[i].new && !r) {
				assert_null(id);
				continue;
			}
			assert_int_equal(json_integer_value(id), operand_list[i].id);
			n++;
		}
		assert_int_equal(json_object_size(t), n);
		json_decref(o);
	}
}

static void status_is(json_t *t, const char *name, const char *value)
{
	const char *have = json_string_value(json_object_get(t, name));

	if (!value)
		assert_null(have);
	else
		assert_string_equal(have ? have : "(none)", value);
}

static void test_statuses(void **state)
{
	(void)state;
	for (u32 r = 0; r < 2; r++) {
		json_t *o = tables(releases[r]), *t = json_object_get(o, "status");

		/* 111 and the all-ones pattern; 17 more later. */
		assert_int_equal(json_object_size(t), r ? 129 : 112);
		status_is(t, "TDX_SUCCESS", "0x0000000000000000");
		status_is(t, "TDX_NON_RECOVERABLE_VCPU", "0x4000000100000000");
		status_is(t, "TDX_NON_RECOVERABLE_TD", "0x6000000200000000");
		status_is(t, "TDX_CROSS_TD_TRAP", "0x9000000900000000");
		status_is(t, "TDX_OPERAND_INVALID", "0xc000010000000000");
		status_is(t, "TDX_OPERAND_BUSY", "0x8000020000000000");
		status_is(t, "TDX_PREVIOUS_TLB_EPOCH_BUSY", "0x8000020100000000");
		status_is(t, "TDX_SYS_BUSY", "0x8000020200000000");
		status_is(t, "TDX_OPERAND_BUSY_HOST_PRIORITY", "0x8000020400000000");
		status_is(t, "TDX_HOST_PRIORITY_BUSY_TIMEOUT", "0x9000020500000000");
		status_is(t, "TDX_PAGE_NOT_FREE", "0xc000030300000000");
		status_is(t, "TDX_TD_FATAL", "0xe000060400000000");
		status_is(t, "TDX_TDCX_NUM_INCORRECT", "0xc000061000000000");
		status_is(t, "TDX_TD_VMCS_FIELD_ERROR", "0xc000073100000000");
		status_is(t, "TDX_KEY_CONFIGURED", "0x0000081500000000");
		status_is(t, "TDX_LIMIT_CPUID_MAXVAL_SET", "0xc000090100000000");
		status_is(t, "TDX_CMR_LIST_INVALID", "0xc0000a2200000000");
		status_is(t, "TDX_GPA_RANGE_ALREADY_BLOCKED", "0x00000b0700000000");
		status_is(t, "TDX_TLB_TRACKING_NOT_DONE", "0xc0000b0800000000");
		status_is(t, "TDX_L2_SEPT_PAGE_NOT_PROVIDED", "0xc0000b1200000000");
		status_is(t, "TDX_METADATA_FIRST_FIELD_ID_IN_CONTEXT", "0x00000c0b00000000");
		status_is(t, "TDX_TD_EXIT_ON_L2_TO_L1", "0x0000114200000000");
		status_is(t, "TDX_UNINITIALIZE_ERROR", "0xffffffffffffffff");
		status_is(t, "TDX_INTERRUPTED_BUSY", r ? "0x8000020600000000" : NULL);
		status_is(t, "TDX_X2APIC_ID_NOT_UNIQUE", r ? "0xc000062100000000" : NULL);
		status_is(t, "TDX_MISSING_PAMT_PAGE_PAIR", r ? "0x8000030800000000" : NULL);
		status_is(t, "TDX_UPDATE_COMPATIBILITY_SENSITIVE", r ? "0x8000051200000000" : NULL);
		json_decref(o);
	}
}

static void test_leaves(void **state)
{
	static const struct {
		const char *name;
		int number;
	} seamcall[] = {
		{ "TDH.VP.ENTER", 0 },          { "TDH.MEM.PAGE.AUG", 6 },
		{ "TDH.MEM.PAGE.DEMOTE", 15 },  { "TDH.VP.INIT", 22 },
		{ "TDH.MEM.PAGE.PROMOTE", 23 }, { "TDH.PHYMEM.PAGE.RECLAIM", 28 },
		{ "TDH.MEM.TRACK", 38 },        { "TDH.VP.WR", 43 },
		{ "TDH.SYS.CONFIG", 45 },       { "TDH.SERVTD.PREBIND", 49 },
		{ "TDH.SYS.UPDATE", 53 },       { "TDH.EXPORT.UNBLOCKW", 75 },
		{ "TDH.IMPORT.MEM", 83 },       { "TDH.MIG.STREAM.CREATE", 96 },
	};
	static const struct {
		const char *name;
		int number;
	} tdcall[] = {
		{ "TDG.VP.VMCALL", 0 },         { "TDG.MEM.PAGE.ACCEPT", 6 },
		{ "TDG.SYS.RDALL", 12 },        { "TDG.SERVTD.RD", 18 },
		{ "TDG.SERVTD.WR", 20 },        { "TDG.MR.VERIFYREPORT", 22 },
		{ "TDG.MEM.PAGE.ATTR.WR", 24 }, { "TDG.VP.INVVPID", 27 },
	};

	(void)state;
	for (u32 r = 0; r < 2; r++) {
		json_t *o = tables(releases[r]);
		json_t *s = json_object_get(o, "seamcall"), *t = json_object_get(o, "tdcall");

		assert_string_equal(json_string_value(json_object_get(o, "release")),
				    r ? "1.5.25" : "1.5.01");
		assert_int_equal(json_object_size(s), r ? 70 : 68);
		assert_int_equal(json_object_size(t), 21);
		for (u32 i = 0; i < ARRAY_SIZE(seamcall); i++)
			assert_int_equal(json_integer_value(json_object_get(s, seamcall[i].name)),
					 seamcall[i].number);
		for (u32 i = 0; i < ARRAY_SIZE(tdcall); i++)
			assert_int_equal(json_integer_value(json_object_get(t, tdcall[i].name)),
					 tdcall[i].number);
		assert_int_equal(json_integer_value(json_object_get(s, "TDH.PHYMEM.PAMT.ADD")),
				 r ? 58 : 0);
		json_decref(o);
	}
}

/* The list as one text: "A B C". */
static void list_is(json_t *list, const char *want)
{
	char text[600] = "";
	json_t *e;
	size_t i;

	assert_non_null(list);
	json_array_foreach (list, i, e) {
		if (i)
			strcat(text, " ");
		strcat(text, json_string_value(e));
	}
	assert_string_equal(text, want);
}

#define FROM_1_TO_9                                                                              \
	"INITIALIZED RUNNABLE LIVE_EXPORT PAUSED_EXPORT POST_EXPORT MEMORY_IMPORT STATE_IMPORT " \
	"POST_IMPORT LIVE_IMPORT"

static void test_allowed(void **state)
{
	(void)state;
	for (u32 r = 0; r < 2; r++) {
		json_t *o = tables(releases[r]);
		json_t *s = json_object_get(o, "sept_allowed"),
		       *p = json_object_get(o, "op_allowed");
		json_t *states = json_object_get(o, "sept_states");

		assert_int_equal(json_object_size(states), 16);
		assert_int_equal(json_integer_value(
					 json_object_get(json_object_get(states, "FREE"), "code")),
				 0x0E);
		assert_int_equal(
			json_integer_value(json_object_get(
				json_object_get(states, "PENDING_EXPORTED_DIRTY"), "public")),
			19);
		assert_int_equal(json_object_size(s), 17);
		list_is(json_object_get(s, "TDH.MEM.PAGE.AUG"), "FREE REMOVED");
		list_is(json_object_get(s, "TDH.MEM.RANGE.BLOCK"),
			"NL_MAPPED MAPPED BLOCKEDW PENDING PENDING_BLOCKEDW");
		list_is(json_object_get(s, "TDH.MEM.PAGE.DEMOTE"),
			"MAPPED BLOCKED PENDING PENDING_BLOCKED");
		list_is(json_object_get(s, "TDH.MEM.SEPT.REMOVE"), "NL_MAPPED NL_BLOCKED");
		list_is(json_object_get(s, "TDG.MEM.PAGE.ACCEPT"),
			"PENDING PENDING_EXPORTED_DIRTY");
		list_is(json_object_get(s, "TDG.MEM.PAGE.ATTR.WR"),
			"MAPPED EXPORTED_DIRTY PENDING PENDING_EXPORTED_DIRTY");
		assert_int_equal(json_array_size(json_object_get(s, "TDH.MEM.SEPT.RD")), 16);
		assert_int_equal(json_array_size(json_object_get(s, "TDH.MEM.PAGE.RELOCATE")), 12);
		assert_int_equal(json_object_size(p), 27);
		list_is(json_object_get(p, "TDH.VP.ENTER"), "RUNNABLE LIVE_EXPORT LIVE_IMPORT");
		list_is(json_object_get(p, "TDH.MEM.TRACK"), FROM_1_TO_9);
		list_is(json_object_get(p, "TDH.MEM.PAGE.REMOVE"),
			"INITIALIZED RUNNABLE LIVE_EXPORT PAUSED_EXPORT POST_EXPORT POST_IMPORT "
			"LIVE_IMPORT FAILED_IMPORT");
		list_is(json_object_get(p, "TDH.VP.WR"),
			"INITIALIZED RUNNABLE LIVE_EXPORT MEMORY_IMPORT STATE_IMPORT POST_IMPORT "
			"LIVE_IMPORT FAILED_IMPORT");
		list_is(json_object_get(p, "TDH.VP.FLUSH"),
			r ? "UNINITIALIZED " FROM_1_TO_9 " FAILED_IMPORT START_IMPORT"
			  : "UNINITIALIZED " FROM_1_TO_9 " FAILED_IMPORT");
		json_decref(o);
	}
}

/* A plan as one text: "TDR/sharex_hp/SH/host/02 ..."; the last two digits are the busy status's. */
static void plan_is(json_t *o, const char *leaf, const char *want)
{
	json_t *list = json_object_get(json_object_get(o, "lock_plans"), leaf), *e;
	char text[1200] = "";
	size_t i;

	assert_non_null(list);
	json_array_foreach (list, i, e) {
		const char *busy = json_string_value(json_object_get(e, "busy"));

		if (i)
			strcat(text, " ");
		strcat(text, json_string_value(json_object_get(e, "object")));
		strcat(text, "/");
		strcat(text, json_string_value(json_object_get(e, "kind")));
		strcat(text, "/");
		strcat(text, json_string_value(json_object_get(e, "mode")));
		strcat(text, "/");
		strcat(text, json_string_value(json_object_get(e, "side")));
		strcat(text, "/");
		assert_int_equal(strlen(busy), 18);
		strcat(text, strncmp(busy, "0x80000200000000", 16) ? busy : busy + 16);
	}
	if (strcmp(text, want))
		print_error("plan of %s\n", leaf);
	assert_string_equal(text, want);
}

#define P(tdr, tree_kind, tree)                                                                \
	"TDR/sharex_hp/SH/host/" tdr " OP_STATE/sharex_hp/SH/host/ac TREE/" tree_kind "/" tree \
	"/host/92 ENTRY/tdel/EX/host/01"

static void test_plans_01(void **state)
{
	json_t *o = tables(SL_RELEASE_1_5_01);

	(void)state;
	plan_is(o, "TDH.MEM.PAGE.AUG", P("02", "sharex", "SH") " PAGE/sharex_hp/EX/host/08");
	plan_is(o, "TDH.MEM.RANGE.BLOCK", P("02", "sharex", "EX"));
	plan_is(o, "TDH.MEM.SEPT.REMOVE",
		P("02", "sharex", "EX") " PAGE/sharex_hp/EX/host/01 "
					"L2_PAGE/sharex_hp/EX/host/01");
	plan_is(o, "TDH.MEM.PAGE.PROMOTE",
		P("02", "sharex",
		  "SH") " PAGE/sharex_hp/EX/host/01 CHILD/tdel/EX/host/01 "
			"L2_PAGE/sharex_hp/EX/host/01 LARGE_PAGE/sharex_hp/EX/host/01");
	plan_is(o, "TDH.MEM.TRACK",
		"TDR/sharex_hp/SH/host/01 OP_STATE/sharex_hp/SH/host/ac EPOCH/sharex/EX/host/a9");
	plan_is(o, "TDH.VP.ENTER",
		"TDVPR/sharex_hp/SH/host/01 TDR/sharex_hp/SH/host/80 OP_STATE/sharex_hp/SH/host/ac "
		"ASSOC/cas/EX/host/0x8000070100000000 EPOCH/sharex/SH/host/a9 TREE/sharex/EX/host/92");
	plan_is(o, "TDH.VP.INIT",
		"TDVPR/sharex_hp/EX/host/01 TDR/sharex_hp/SH/host/80 OP_STATE/sharex_hp/SH/host/ac");
	plan_is(o, "TDH.MNG.WR",
		"TDR/sharex_hp/SH/host/01 OP_STATE/sharex_hp/SH/host/ac "
		"FIELD/cas/EX/host/b0");
	plan_is(o, "TDH.PHYMEM.CACHE.WB", "WBT/mutex/EX/host/bc KOT/sharex/SH/host/ba");
	plan_is(o, "TDH.SYS.KEY.CONFIG",
		"SYS/sharex/EX/host/0x8000020200000000 KET/mutex/EX/host/bb");
	plan_is(o, "TDG.MEM.PAGE.ACCEPT", "ENTRY/tdel/EX/guest/01");
	plan_is(o, "TDG.MR.RTMR.EXTEND", "RTMR/sharex_hp/EX/guest/a8");
	plan_is(o, "TDG.MR.REPORT", "RTMR/sharex_hp/SH/guest/a8");
	plan_is(o, "TDG.VP.INFO", "");
	assert_null(json_object_get(json_object_get(o, "lock_plans"), "TDH.EXPORT.MEM"));
	assert_null(json_object_get(json_object_get(o, "lock_plans"), "TDH.VP.INIT version 1"));
	json_decref(o);
}

static void test_plans_25(void **state)
{
	json_t *o = tables(SL_RELEASE_1_5_25);

	(void)state;
	plan_is(o, "TDH.MEM.PAGE.AUG", P("02", "sharex_hp", "SH") " PAGE/sharex_hp/EX/host/08");
	plan_is(o, "TDH.MEM.RANGE.UNBLOCK", P("02", "sharex_hp", "EX"));
	plan_is(o, "TDH.MEM.PAGE.PROMOTE",
		P("02", "sharex_hp",
		  "EX") " PAGE/sharex_hp/EX/host/01 L2_PAGE/sharex_hp/EX/host/01 "
			"LARGE_PAGE/sharex_hp/EX/host/01");
	plan_is(o, "TDH.VP.ENTER",
		"TDVPR/sharex_hp/SH/host/01 TDR/sharex_hp/SH/host/80 OP_STATE/sharex_hp/SH/host/ac "
		"ASSOC/cas/EX/host/0x8000070100000000 EPOCH/sharex/SH/host/a9 "
		"TREE/sharex_hp/SH/host/92");
	plan_is(o, "TDH.VP.INIT",
		"TDVPR/sharex_hp/EX/host/01 TDR/sharex_hp/SH/host/80 OP_STATE/sharex_hp/SH/host/ac");
	plan_is(o, "TDH.VP.INIT version 1",
		"TDVPR/sharex_hp/EX/host/01 TDR/sharex_hp/EX/host/80 OP_STATE/sharex_hp/SH/host/ac");
	plan_is(o, "TDH.PHYMEM.PAMT.ADD",
		"LARGE_PAGE/sharex_hp/EX/host/01 "
		"PAMT_PAGE/sharex_hp/SH/host/02 "
		"PAMT_PAGE/sharex_hp/SH/host/08");
	plan_is(o, "TDH.PHYMEM.PAMT.REMOVE", "LARGE_PAGE/sharex_hp/EX/host/01");
	plan_is(o, "TDH.MEM.TRACK",
		"TDR/sharex_hp/SH/host/01 OP_STATE/sharex_hp/SH/host/ac EPOCH/sharex/EX/host/a9");
	json_decref(o);
}

/* No leaf has a plan and is said to take no lock. */
static void test_lock_free(void **state)
{
	const struct leaf_ref *leaf;
	u32 free_leaves = 0;

	(void)state;
	leaf_each (SL_RELEASE_1_5_25, leaf) {
		assert_false(leaf_plan(SL_RELEASE_1_5_25, leaf) &&
			     lock_free(leaf->guest, leaf->number));
		free_leaves += lock_free(leaf->guest, leaf->number);
		assert_non_null(leaf_about(leaf));
	}
	assert_int_equal(free_leaves, 10);
}

/* ---- statuses -------------------------------------------------------------------------------- */

static void test_worked_values(void **state)
{
	static const struct {
		u64 value;
		const char *name, *detail;
	} list[] = {
		{ 0x8000020000000001, "TDX_OPERAND_BUSY", "operand RCX (1)" },
		{ 0x8000020000000002, "TDX_OPERAND_BUSY", "operand RDX (2)" },
		{ 0x8000020000000008, "TDX_OPERAND_BUSY", "operand R8 (8)" },
		{ 0x8000020000000080, "TDX_OPERAND_BUSY", "operand TDR (128)" },
		{ 0x8000020000000092, "TDX_OPERAND_BUSY", "operand SEPT_TREE (146)" },
		{ 0x80000200000000A8, "TDX_OPERAND_BUSY", "operand RTMR (168)" },
		{ 0x80000200000000A9, "TDX_OPERAND_BUSY", "operand TD_EPOCH (169)" },
		{ 0x80000200000000AC, "TDX_OPERAND_BUSY", "operand OP_STATE (172)" },
		{ 0x80000200000000B0, "TDX_OPERAND_BUSY", "operand METADATA_FIELD (176)" },
		{ 0x80000200000000BA, "TDX_OPERAND_BUSY", "operand KOT (186)" },
		{ 0x80000200000000BB, "TDX_OPERAND_BUSY", "operand KET (187)" },
		{ 0x80000200000000BC, "TDX_OPERAND_BUSY", "operand WBCACHE (188)" },
		{ 0x8000020100000000, "TDX_PREVIOUS_TLB_EPOCH_BUSY", "" },
		{ 0x9000020500000000, "TDX_HOST_PRIORITY_BUSY_TIMEOUT", "" },
		{ 0x00000B0700000001, "TDX_GPA_RANGE_ALREADY_BLOCKED", "operand RCX (1)" },
		{ 0xC0000B0600000001, "TDX_GPA_RANGE_NOT_BLOCKED", "operand RCX (1)" },
		{ 0xC0000B0800000001, "TDX_TLB_TRACKING_NOT_DONE", "operand RCX (1)" },
		{ 0xC0000B0800000092, "TDX_TLB_TRACKING_NOT_DONE", "operand SEPT_TREE (146)" },
		{ 0x0000000000000030, "TDX_SUCCESS", "exit reason 48 (EPT violation)" },
		{ 0x000000000000004D, "TDX_SUCCESS", "exit reason 77 (TDG.VP.VMCALL)" },
		{ 0x4000000100000002, "TDX_NON_RECOVERABLE_VCPU", "exit reason 2 (triple fault)" },
		{ 0xC0000B0B00000001, "TDX_PAGE_SIZE_MISMATCH", "level 1 (2 MB)" },
		{ 0xC00009200000003B, "TDX_INCONSISTENT_MSR", "MSR 0x3b" },
		{ 0xC0000A1200070201, "TDX_PAMT_OVERLAP", "TDMR 1, PAMT level 2, other TDMR 7" },
		{ 0xC0000B0F00020001, "TDX_L2_SEPT_WALK_FAILED", "VM 2, level 1" },
		{ 0xC000060800000000, "TDX_OP_STATE_INCORRECT", "" },
		{ 0xFFFFFFFFFFFFFFFF, "TDX_UNINITIALIZE_ERROR", "" },
	};
	struct status_view v;

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(list); i++) {
		status_look_up(SL_RELEASE_1_5_01, list[i].value, &v);
		assert_string_equal(v.name, list[i].name);
		assert_string_equal(v.detail_text, list[i].detail);
		assert_true(v.in_release);
	}
	status_look_up(SL_RELEASE_1_5_25, 0xC000060800000002, &v);
	assert_string_equal(v.detail_text, "OP_STATE RUNNABLE (2)");
	status_look_up(SL_RELEASE_1_5_25, 0xC000070000000004, &v);
	assert_string_equal(v.detail_text, "vCPU state ACTIVE (4)");
	status_look_up(SL_RELEASE_1_5_01, 0xC000070000000004, &v);
	assert_string_equal(v.detail_text, "details 0x4, which this release does not have");
	status_look_up(SL_RELEASE_1_5_01, 0x8000020600000000, &v);
	assert_string_equal(v.name, "TDX_INTERRUPTED_BUSY");
	assert_false(v.in_release);
	status_look_up(SL_RELEASE_1_5_01, 0xC0000E0500000000, &v);
	assert_null(v.name);
	assert_non_null(v.range);
	status_look_up(SL_RELEASE_1_5_01, 0x1234567800000000, &v);
	assert_null(v.name);
	assert_null(v.range);
	assert_false(v.in_release);
}

static void test_every_status_and_operand(void **state)
{
	static const struct {
		u32 upper;
		const char *name;
	} list[] = {
#define SL_STATUS(name, upper) { (upper), "TDX_" #name },
#include <seamlab/tdx_status.def>
#define SL_NEW_STATUS(since, name, upper, who) SL_STATUS(name, upper)
#include <seamlab/tdx_release.def>
#undef SL_NEW_STATUS
#undef SL_STATUS
	};

	(void)state;
	for (u32 r = 0; r < 2; r++)
		for (u32 s = 0; s < ARRAY_SIZE(list); s++)
			for (u32 id = 0; id < 256; id++) {
				const char *operand = NULL;
				struct status_view v;
				char number[16];

				for (u32 i = 0; i < ARRAY_SIZE(operand_list); i++)
					if (operand_list[i].id == id)
						operand = operand_list[i].name;
				status_look_up(releases[r], (u64)list[s].upper << 32 | id, &v);
				assert_string_equal(v.name, list[s].name);
				assert_int_equal(v.class, list[s].upper >> 8 & 0xFF);
				assert_non_null(v.class_name);
				assert_non_null(v.meaning);
				assert_non_null(v.advice);
				if (v.detail != DETAIL_OPERAND) {
					assert_null(v.operand);
					continue;
				}
				if (operand)
					assert_string_equal(v.operand, operand);
				else
					assert_null(v.operand);
				snprintf(number, sizeof(number), operand ? "(%u)" : " %u ", id);
				assert_non_null(strstr(v.detail_text, number));
				if (operand)
					assert_non_null(strstr(v.detail_text, operand));
			}
}

/* Statuses with an operand are those that the module makes by adding one. */
static void test_operand_statuses(void **state)
{
	static const u32 with[] = { 0xC0000100, 0xC0000101, 0x80000200, 0x80000204, 0xC0000300,
				    0xC0000B00, 0x00000B07, 0xC0000B06, 0xC0000B08, 0xC0000B0D };
	static const u32 without[] = { 0x80000201, 0x80000202, 0xC0000500, 0xE0000604,
				       0x80000810, 0x00000B0A, 0xC0000B0B, 0x9000020 };
	struct status_view v;

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(with); i++) {
		status_look_up(SL_RELEASE_1_5_01, (u64)with[i] << 32, &v);
		assert_int_equal(v.detail, DETAIL_OPERAND);
	}
	for (u32 i = 0; i < ARRAY_SIZE(without); i++) {
		status_look_up(SL_RELEASE_1_5_01, (u64)without[i] << 32, &v);
		assert_int_not_equal(v.detail, DETAIL_OPERAND);
	}
}

/* ---- who holds it ---------------------------------------------------------------------------- */

static bool is_listed(const struct lock_taker *t, u32 n, const char *name)
{
	for (u32 i = 0; i < n; i++)
		if (!strcmp(t[i].leaf.name, name))
			return true;
	return false;
}

static void test_holders(void **state)
{
	struct busy_lock *l = malloc(sizeof(*l));
	const struct leaf_ref *aug[2];

	(void)state;
	assert_int_equal(leaf_by_name(SL_RELEASE_1_5_01, "mem_page_Aug", 12, aug), 1);
	for (u32 r = 0; r < 2; r++) {
		assert_true(status_lock(releases[r], 0x8000020000000092, aug[0], 0, l));
		assert_int_equal(l->object, LOCK_TREE);
		assert_int_equal(l->refused_count, 1);
		/* A shared request meets the exclusive takers only. */
		assert_true(is_listed(l->holder, l->holder_count, "TDH.MEM.RANGE.BLOCK"));
		assert_true(is_listed(l->holder, l->holder_count, "TDH.VP.ENTER") == !r);
		assert_true(is_listed(l->holder, l->holder_count, "TDH.MEM.PAGE.PROMOTE") == r);
		assert_false(is_listed(l->holder, l->holder_count, "TDH.MEM.PAGE.REMOVE"));
		assert_false(status_lock(releases[r], 0x8000020000000092, aug[0], 1, l));
	}
	/* RCX is the entry for AUG, and many things for others. */
	assert_true(status_lock(SL_RELEASE_1_5_01, 0x8000020000000001, aug[0], 0, l));
	assert_int_equal(l->object, LOCK_ENTRY);
	assert_true(is_listed(l->holder, l->holder_count, "TDG.MEM.PAGE.ACCEPT"));
	assert_true(status_lock(SL_RELEASE_1_5_01, 0x8000020000000001, NULL, 3, l));
	assert_false(status_lock(SL_RELEASE_1_5_01, 0x8000020000000003, NULL, 0, l));
	free(l);
}

static u32 meet(enum sl_release r, const char *a, const char *b, struct meeting *m)
{
	const struct leaf_ref *la[2], *lb[2];

	assert_true(leaf_by_name(r, a, strlen(a), la) >= 1);
	assert_true(leaf_by_name(r, b, strlen(b), lb) >= 1);
	return leaf_meetings(r, la[0], lb[0], m);
}

/* The conflict matrix of the lock table, a leaf of each group. */
static void test_conflict_matrix(void **state)
{
	static const char *const group[] = { "tdh.mem.page.remove", "tdh.mem.range.block",
					     "tdh.mem.track", "tdh.vp.enter", "tdh.mr.extend" };
	/* The widest lock; 'e' the same entry; '.' none that matters. */
	static const char *const want[2][5] = {
		{ "eT.TR", "TT.TR", "..EER", "TTETR", "RRRRR" },
		{ "eT..R", "TT.TR", "..EER", ".TEvR", "RRRRR" },
	};
	struct meeting m[MEETINGS_MAX];

	(void)state;
	for (u32 r = 0; r < 2; r++)
		for (u32 a = 0; a < 5; a++)
			for (u32 b = 0; b < 5; b++) {
				u32 n = meet(releases[r], group[a], group[b], m);
				char have =
					n ? lock_object_info((enum lock_object)m[0].object)->letter
					  : '.';

				/* Pages beside each other, and the same vCPU twice, are no group. */
				if (have == 'g')
					have = '.';
				if (have == 'a')
					have = 'v';
				if (have != want[r][a][b])
					print_error("%s against %s: %c\n", group[a], group[b],
						    have);
				assert_int_equal(have, want[r][a][b]);
			}
}

static void test_meetings(void **state)
{
	struct meeting m[MEETINGS_MAX];
	u32 n;

	(void)state;
	/* The status of the second one, on both sides. */
	n = meet(SL_RELEASE_1_5_01, "tdh.vp.enter", "mem.track", m);
	assert_int_equal(n, 1);
	assert_int_equal(m[0].object, LOCK_EPOCH);
	assert_true(m[0].a->busy == 0x80000200000000A9 && m[0].b->busy == 0x80000200000000A9);
	/* A running vCPU keeps the TDR away from who wants it exclusive, whatever TDCALL it is in. */
	n = meet(SL_RELEASE_1_5_01, "mr.extend", "tdg.vp.info", m);
	assert_int_equal(n, 1);
	assert_int_equal(m[0].object, LOCK_TDR);
	assert_true(m[0].a->busy == 0x8000020000000002 && !m[0].b);
	n = meet(SL_RELEASE_1_5_01, "tdg.vp.info", "mr.extend", m);
	assert_int_equal(n, 1);
	assert_true(!m[0].a && m[0].b->busy == 0x8000020000000002);
	assert_int_equal(meet(SL_RELEASE_1_5_01, "mem.page.aug", "tdg.vp.info", m), 0);
	/* Guests meet each other. */
	n = meet(SL_RELEASE_1_5_01, "tdg.mr.rtmr.extend", "tdg.mr.report", m);
	assert_int_equal(n, 1);
	assert_int_equal(m[0].object, LOCK_RTMR);
	assert_int_equal(meet(SL_RELEASE_1_5_01, "tdg.mr.report", "tdg.mr.report", m), 0);
	/* The same both ways round, for every pair. */
	for (u32 r = 0; r < 2; r++) {
		const struct leaf_ref *a, *b;

		leaf_each (releases[r], a)
			leaf_each (releases[r], b) {
				struct meeting back[MEETINGS_MAX];

				n = leaf_meetings(releases[r], a, b, m);
				assert_int_equal(leaf_meetings(releases[r], b, a, back), n);
				for (u32 x = 0; x < n; x++)
					assert_int_equal(m[x].object, back[x].object);
			}
	}
}

/* ---- texts ----------------------------------------------------------------------------------- */

static int explain_as(const char *what, enum sl_explain_as as, char **report, char err[600])
{
	struct sl_explain_options o = { .as = as };

	return sl_explain(&o, &what, 1, report, err, 600);
}

static void starts(const char *what, const char *line)
{
	char *report, err[600];

	assert_int_equal(explain_as(what, SL_AS_ANY, &report, err), 0);
	if (strncmp(report, line, strlen(line)))
		print_error("%s: %.200s\n", what, report);
	assert_int_equal(strncmp(report, line, strlen(line)), 0);
	free(report);
}

static void test_spellings(void **state)
{
	static const char *const busy[] = {
		"0x8000020000000092",         "0X8000020000000092",       "8000020000000092",
		"9223374235878031506",        "-9223369837831520110",     "OPERAND_BUSY|SEPT_TREE",
		"TDX_OPERAND_BUSY|SEPT_TREE", "operand_busy + sept_tree", "TDX_OPERAND_BUSY|146",
		"TDX_OPERAND_BUSY|0x92",
	};
	static const char *const aug[] = { "TDH.MEM.PAGE.AUG", "tdh.mem.page.aug",
					   "TDH_MEM_PAGE_AUG", "mem.page.aug", "Mem_Page_Aug" };

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(busy); i++)
		starts(busy[i], "0x8000020000000092  TDX_OPERAND_BUSY, operand SEPT_TREE (146)\n");
	for (u32 i = 0; i < ARRAY_SIZE(aug); i++)
		starts(aug[i], "TDH.MEM.PAGE.AUG  SEAMCALL 6 (0x6): ");
	starts("0x80000200", "0x8000020000000000  TDX_OPERAND_BUSY");
	starts("tdg.vp.enter", "TDG.VP.ENTER  TDCALL 25 ");
	starts("-1", "0xffffffffffffffff  TDX_UNINITIALIZE_ERROR\n");
}

static void test_numbers_of_leaves(void **state)
{
	char *report, err[600];

	(void)state;
	assert_int_equal(explain_as("6", SL_AS_ANY, &report, err), 0);
	assert_non_null(strstr(report, "TDX_SUCCESS, exit reason 6"));
	assert_non_null(strstr(report, "TDH.MEM.PAGE.AUG  SEAMCALL 6"));
	assert_non_null(strstr(report, "TDG.MEM.PAGE.ACCEPT  TDCALL 6"));
	free(report);
	assert_int_equal(explain_as("0x1c", SL_AS_SEAMCALL, &report, err), 0);
	assert_int_equal(strncmp(report, "TDH.PHYMEM.PAGE.RECLAIM  SEAMCALL 28", 36), 0);
	free(report);
	assert_int_equal(explain_as("0x10016", SL_AS_SEAMCALL, &report, err), 0);
	assert_int_equal(strncmp(report, "TDH.VP.INIT version 1", 21), 0);
	free(report);
	assert_int_equal(explain_as("42", SL_AS_SEAMCALL, &report, err), -22);
	assert_string_equal(err, "found '42'; expected the number of a SEAMCALL of release 1.5.01");
}

static void test_refused(void **state)
{
	static const struct {
		const char *what, *err;
	} list[] = {
		{ "mem.pag.aug", "did you mean 'MEM.PAGE.AUG'?" },
		{ "nonsense", "found 'nonsense'; expected a leaf" },
		{ "", "found ''; expected a leaf" },
		{ "0x", "expected a number of at most 64 bits" },
		{ "0x12345678123456789", "expected a number of at most 64 bits" },
		{ "99999999999999999999", "expected a number of at most 64 bits" },
		{ "-", "expected a number of at most 64 bits" },
		{ "0x8000020000000092 ", "expected a number of at most 64 bits" },
		{ "OPERAND_BUSY|NONSENSE", "expected a leaf" },
		{ "\xff\xfe\x01", "expected a leaf" },
		{ "TDH.", "expected a leaf" },
		{ "%s%n", "expected a leaf" },
	};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(list); i++) {
		char *report, err[600] = "";

		assert_int_equal(explain_as(list[i].what, SL_AS_ANY, &report, err), -22);
		assert_null(report);
		if (!strstr(err, list[i].err))
			print_error("%s: %s\n", list[i].what, err);
		assert_non_null(strstr(err, list[i].err));
	}
}

/* ---- logs ------------------------------------------------------------------------------------ */

struct sink {
	char *text;
	size_t size;
};

static void collect(void *ctx, const char *bytes, size_t size)
{
	struct sink *s = ctx;

	s->text = realloc(s->text, s->size + size + 1);
	assert_non_null(s->text);
	memcpy(s->text + s->size, bytes, size);
	s->size += size;
	s->text[s->size] = 0;
}

/* @cut: pieces in which the bytes are fed; 0 for all at once. */
static struct sink annotate(const char *bytes, size_t size, size_t cut, enum sl_format format)
{
	struct sl_explain_options o = { .format = format };
	struct sink s = { 0 };
	struct sl_log *log = sl_log_new(&o, collect, &s);

	assert_non_null(log);
	collect(&s, "", 0);
	for (size_t at = 0; at < size;) {
		size_t n = cut && cut < size - at ? cut : size - at;

		sl_log_feed(log, bytes + at, n);
		at += n;
	}
	sl_log_end(log);
	return s;
}

static void line_has(const char *line, const char *want)
{
	struct sink s = annotate(line, strlen(line), 0, SL_FORMAT_TEXT);
	const char *mark = strstr(s.text, "\n" SL_LOG_MARK);

	assert_int_equal(strncmp(s.text, line, strlen(line)), 0);
	if (!want) {
		assert_string_equal(s.text, line);
	} else {
		if (!mark || !strstr(mark, want))
			print_error("%s: %s\n", line, s.text);
		assert_non_null(mark);
		assert_non_null(strstr(mark, want));
	}
	free(s.text);
}

static void test_log_shapes(void **state)
{
	(void)state;
	line_has("[   12.5] SEAMCALL (0x000000000000000f) failed: 0xc0000b0800000001",
		 "TDH.MEM.PAGE.DEMOTE: TDX_TLB_TRACKING_NOT_DONE, operand RCX (1).");
	line_has("SEAMCALL (0x000000000000000f) failed: 0xc0000b0800000001 RCX 0x80000004000000f7 "
		 "RDX 0x0000000000000400",
		 "RDX: S-EPT entry at level 0, state MAPPED.");
	line_has("TDH_VP_INIT failed: 0x8000020000000080",
		 "TDH.VP.INIT: TDX_OPERAND_BUSY, operand TDR (128).");
	line_has("SEAMCALL[TDH_MEM_PAGE_AUG] failed: 0x8000020000000092",
		 "TDH.MEM.PAGE.AUG: TDX_OPERAND_BUSY, operand SEPT_TREE (146).");
	line_has(
		"SEAMCALL TDH_MEM_PAGE_AUG failed: 0xc0000b0d00000001, rcx 0x80000000000000f7, rdx "
		"0x200",
		"state PENDING.");
	line_has("kvm_intel: SEAMCALL TDH_MR_FINALIZE failed: 0x8000020000000001",
		 "TDH.MR.FINALIZE: ");
	line_has("SEAMCALL 0x1c failed 0xC000030000000001", "TDH.PHYMEM.PAGE.RECLAIM: ");
	line_has("tdx: TDCALL 6 returned 0x8000020000000001", "TDG.MEM.PAGE.ACCEPT: ");
	line_has("tdh_mem_range_block ret=-9223369837831520110", "TDH.MEM.RANGE.BLOCK: ");
	line_has("err 9223374235878031506;", "TDX_OPERAND_BUSY, operand SEPT_TREE (146).");
	line_has("err=8000020000000092", "TDX_OPERAND_BUSY");
	line_has("VP.ENTER exit 0x9000020500000000ULL", "TDX_HOST_PRIORITY_BUSY_TIMEOUT");
	line_has("seamcall TDH.MEM.RANGE.BLOCK: 0x00000B0700000001",
		 "TDX_GPA_RANGE_ALREADY_BLOCKED");
	line_has("seamcall 0x13 -> 0x8000020600000000",
		 "(Release 1.5.01 does not have this status.)");
	/* Not statuses, or not of TDX. */
	line_has("some pointer 0x00000B0700000001", NULL);
	line_has("rcx: 0x8000000400000007 rdx=0x8000020000000001 r08 0x8000020000000001", NULL);
	line_has("BAR 0: [mem 0x8000020000-0x8000020fff]", NULL);
	line_has("a0x8000020000000092 x8000020000000092 80000200000000921", NULL);
	line_has("uuid 80000200-0000-0092", NULL);
	line_has("SEAMCALL (0x0f) ok", NULL);
}

static void test_log_bytes(void **state)
{
	static const char nul[] = "a\0b 0x8000020000000092\0\n\0\n";
	struct sink s = annotate(nul, sizeof(nul) - 1, 0, SL_FORMAT_TEXT);

	(void)state;
	assert_int_equal(memcmp(s.text, nul, 24), 0);
	assert_int_equal(memcmp(s.text + 24, SL_LOG_MARK "TDX_OPERAND_BUSY", 26), 0);
	assert_int_equal(memcmp(s.text + s.size - 2, "\0\n", 2), 0);
	free(s.text);
	s = annotate("", 0, 0, SL_FORMAT_TEXT);
	assert_int_equal(s.size, 0);
	free(s.text);
	s = annotate("", 0, 0, SL_FORMAT_JSON);
	assert_string_equal(s.text, "{\"release\": \"1.5.01\", \"findings\": []}\n");
	free(s.text);
}

static void test_log_long_line(void **state)
{
	const size_t size = 1 << 20;
	char *line = malloc(size + 1);
	struct sink s;

	(void)state;
	memset(line, 'x', size);
	memcpy(line, "0x8000020000000092 ", 19);
	/* Behind what is looked at, and cut in two by its end: neither is annotated. */
	memcpy(line + SL_LOG_LINE_MAX - 18, " 0xC0000B0600000001 ", 20);
	memcpy(line + size - 40, " 0xC0000B0800000001 ", 20);
	line[size] = '\n';
	s = annotate(line, size + 1, 4093, SL_FORMAT_TEXT);
	assert_int_equal(memcmp(s.text, line, size + 1), 0);
	assert_int_equal(memcmp(s.text + size + 1, SL_LOG_MARK "TDX_OPERAND_BUSY", 26), 0);
	assert_null(strstr(s.text + size + 1, "BLOCKED"));
	assert_ptr_equal(strchr(s.text + size + 1, '\n'), s.text + s.size - 1);
	free(s.text);
	free(line);
}

/* Without the lines that begin with the mark, the log is what it was. */
static size_t strip(const char *text, size_t size, char *out)
{
	const size_t mark = strlen(SL_LOG_MARK);
	size_t n = 0;

	for (size_t at = 0; at < size;) {
		const char *end = memchr(text + at, '\n', size - at);
		size_t line = end ? (size_t)(end - text) + 1 - at : size - at;

		if (size - at >= mark && !memcmp(text + at, SL_LOG_MARK, mark)) {
			/* An annotation of a last line without an end has brought one. */
			if (!end && n && out[n - 1] == '\n')
				n--;
		} else {
			memcpy(out + n, text + at, line);
			n += line;
		}
		at += line;
	}
	return n;
}

static size_t make_log(struct sl_rng *rng, char *log, size_t room)
{
	static const char *const words[] = {
		"0x8000020000000092",
		"SEAMCALL",
		"(0x000000000000000f)",
		"failed:",
		"rcx",
		"RDX",
		"0x400",
		"-9223369837831520110",
		"TDH_VP_INIT",
		"tdh.mem.page.aug",
		"tdcall",
		"[6]",
		"0xc0000b0800000001",
		"0x00000B0700000001",
		"ffffffffffffffff",
		"0x",
		"-",
		"TDX",
		"8000020000000001",
		"\r",
		"\t",
		"leaf",
		"=",
		"0xC0000E0500000001",
		"18446744073709551615",
	};
	size_t n = 0;

	while (n + 40 < room && sl_rng_below(rng, 60)) {
		u64 kind = sl_rng_below(rng, 10);

		if (kind < 6) {
			const char *w = words[sl_rng_below(rng, ARRAY_SIZE(words))];

			memcpy(log + n, w, strlen(w));
			n += strlen(w);
		}
		if (kind == 6)
			log[n++] = '\n';
		else if (kind == 7)
			log[n++] = (char)sl_rng_below(rng, 256);
		else
			log[n++] = ' ';
	}
	return n;
}

static void test_log_fuzz(void **state)
{
	struct sl_rng rng = { 1 };
	u32 annotated = 0;

	(void)state;

	for (u32 i = 0; i < 1500; i++) {
		char log[4096], *out;
		size_t n = make_log(&rng, log, sizeof(log));
		struct sink whole = annotate(log, n, 0, SL_FORMAT_TEXT);
		struct sink pieces = annotate(log, n, 1 + sl_rng_below(&rng, 7), SL_FORMAT_TEXT);
		struct sink json = annotate(log, n, 0, SL_FORMAT_JSON);
		json_t *o = json_loads(json.text, JSON_REJECT_DUPLICATES, NULL);

		assert_int_equal(whole.size, pieces.size);
		assert_int_equal(memcmp(whole.text, pieces.text, whole.size), 0);
		out = malloc(whole.size + 1);
		assert_int_equal(strip(whole.text, whole.size, out), n);
		assert_int_equal(memcmp(out, log, n), 0);
		assert_non_null(o);
		annotated += json_array_size(json_object_get(o, "findings")) > 0;
		json_decref(o);
		free(out);
		free(whole.text);
		free(pieces.text);
		free(json.text);
	}
	/* The words above make most of them interesting. */
	assert_true(annotated > 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_operands),
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_leaves),
		cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_plans_01),
		cmocka_unit_test(test_plans_25),
		cmocka_unit_test(test_lock_free),
		cmocka_unit_test(test_worked_values),
		cmocka_unit_test(test_every_status_and_operand),
		cmocka_unit_test(test_operand_statuses),
		cmocka_unit_test(test_holders),
		cmocka_unit_test(test_conflict_matrix),
		cmocka_unit_test(test_meetings),
		cmocka_unit_test(test_spellings),
		cmocka_unit_test(test_numbers_of_leaves),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_log_shapes),
		cmocka_unit_test(test_log_bytes),
		cmocka_unit_test(test_log_long_line),
		cmocka_unit_test(test_log_fuzz),
	};

	return cmocka_run_group_tests_name("explain and matrix", tests, NULL, NULL);
}
