/* SPDX-License-Identifier: MIT */
/*
 * A scenario: what a YAML file says, checked, as structs. Bytes from outside are handled here and
 * in no layer below. Layer: scenario.
 */
#ifndef SL_SCENARIO_SCENARIO_H
#define SL_SCENARIO_SCENARIO_H

#include <seamlab/module.h>

#include "base/err.h"
#include "base/types.h"
#include "guest/guest.h"
#include "host/policy.h"

#define SCN_TDS_MAX    4
#define SCN_VCPUS_MAX  16
#define SCN_HOSTS_MAX  8
#define SCN_LPS_MAX    8
#define SCN_SPARES_MAX 8
/* LPs besides those of the lanes. */
#define SCN_MORE_LPS_MAX 4
#define SCN_CALLERS_MAX  8
#define SCN_NEVER_MAX    16
#define SCN_BOUNDS_MAX   16
#define SCN_BOUND_MAX    200u
#define SCN_RTMRS        4
#define SCN_RANGES_MAX   64
#define SCN_NAME_MAX     64
/* Limits of the reader: bytes of a file, of a title, operations of all lanes, memory of one TD. */
#define SCN_FILE_MAX    (1u << 20)
#define SCN_TITLE_MAX   256
#define SCN_OPS_MAX     65536u
#define SCN_MEMORY_MAX  (64ull << 30)
#define SCN_LOOP_MAX    1000000000u
#define SCN_RETRIES_MAX 1000000u
#define SCN_SECONDS_MAX 86400u
/* Bytes of the path of a policy's shared object. */
#define SCN_PLUGIN_MAX 1024u
/* Different settings of a policy that one scenario may change; more than there are. */
#define SCN_SETTINGS_MAX 64

enum scn_page_state {
	SCN_FREE,    /* no S-EPT entry for it yet */
	SCN_PENDING, /* mapped by TDH.MEM.PAGE.AUG, not accepted */
	SCN_MAPPED,  /* added by TDH.MEM.PAGE.ADD before the TD was finalized */
};

/* A named range of guest memory. */
struct scn_range {
	char name[SCN_NAME_MAX];
	u8 level; /* 0 = 4 KB leaves, 1 = 2 MB leaves */
	enum scn_page_state state;
	/*
	 * Assigned by the reader: the first range is at 0, each other one at the next multiple of
	 * its own leaf size behind the range before it.
	 */
	u64 gpa;
	u64 count; /* leaves */
};

enum scn_host_opcode {
	SCN_HOST_MAP, /* map a page as if a vCPU had faulted on it (prefault) */
	SCN_HOST_ZAP,
	SCN_HOST_SPLIT,        /* 2 MB mappings into small ones */
	SCN_HOST_PROMOTE,      /* and back */
	SCN_HOST_SIGNAL,       /* make vCPU @vcpu leave its run loop once, as a signal would */
	SCN_HOST_INTERRUPT,    /* wake vCPU @vcpu from halt */
	SCN_HOST_BUILD,        /* build TD @td */
	SCN_HOST_RUN,          /* let the vCPU lanes of TD @td run their programs, wait for them */
	SCN_HOST_TEARDOWN,     /* tear TD @td down */
	SCN_HOST_TERMINATE,    /* release the key id of TD @td, beside whatever else runs */
	SCN_HOST_MIGRATE,      /* vCPU @vcpu runs on LP @lp from now on */
	SCN_HOST_OFFLINE,      /* LP @lp gives up the vCPUs that it has */
	SCN_HOST_PREFAULT,     /* as MAP; user space calls again if it is told so */
	SCN_HOST_UNMAP_SHARED, /* user space unmaps shared memory; private pages may lie in between */
	SCN_HOST_DELETE_SLOT,
	SCN_HOST_CREATE_SLOT, /* put a deleted slot back */
	SCN_HOST_MARK_DEAD,   /* as a failed assertion does to TD @td, without being one */
	/* Building a TD that says `finalized: false`. */
	SCN_HOST_CREATE_VCPU,
	SCN_HOST_INIT_VCPU,
	SCN_HOST_ADD,
	SCN_HOST_FINALIZE,
	SCN_HOST_LOOP,
	SCN_HOST_END,
};

struct scn_host_op {
	enum scn_host_opcode code;
	u32 td;
	u8 level;
	bool random;
	bool measured; /* ADD */
	bool retry;    /* user space calls again after EBUSY */
	bool may_fail; /* user space goes on after any error */
	u64 gpa;
	u64 count; /* leaves */
	u32 vcpu;
	u32 lp;
	u32 times; /* LOOP */
	u32 match; /* LOOP <-> END */
};

/* Lanes of raw SEAMCALLs. */
enum scn_lp_opcode {
	SCN_LP_PAGE, /* @leaf, a SEAMCALL on each S-EPT entry */
	SCN_LP_TD,   /* @leaf, a SEAMCALL on the TD */
	SCN_LP_VCPU, /* @leaf, a SEAMCALL on the vCPU */
	SCN_LP_SYS,  /* @leaf, a SEAMCALL on the module */
	SCN_LP_LOOP,
	SCN_LP_END,
};

/* A page of physical memory. */
enum scn_page_kind {
	SCN_PAGE_DEFAULT, /* the one that belongs there */
	SCN_PAGE_SPARE,   /* spare page @index */
	SCN_PAGE_GUEST,   /* what belongs to gfn @index of @td */
	SCN_PAGE_TDR,     /* of @td */
	SCN_PAGE_TDVPR,   /* of vCPU @index of @td */
};

struct scn_page {
	enum scn_page_kind kind;
	u32 td;
	u64 index;
};

struct scn_lp_op {
	enum scn_lp_opcode code;
	u32 leaf; /* SEAMCALL_..., and the version as in RAX */
	u32 td;
	u8 level;              /* of the entries, 0 to 3 */
	struct scn_page page;  /* that the leaf takes or is about */
	struct scn_page owner; /* in place of the TDR or TDVPR */
	bool random;
	bool retry; /* as long as the status says that it may work later */
	u64 gpa;
	u64 count; /* entries */
	u32 vcpu;
	u64 field; /* id of a metadata field */
	u64 value; /* for it */
	u32 times; /* LOOP */
	u32 match; /* LOOP <-> END */
};

struct scn_lp {
	bool named; /* the file has a lane of this name */
	struct scn_lp_op *ops;
	u32 count;
};

/* Lanes on a bare lock word. */
enum scn_lock_kind {
	SCN_LOCK_NONE, /* the scenario is about a TD */
	SCN_LOCK_MUTEX,
	SCN_LOCK_SHAREX,
	SCN_LOCK_SHAREX_HP,
	SCN_LOCK_SEPT_ENTRY,
};

enum scn_caller_opcode {
	SCN_CALLER_EXCLUSIVE,
	SCN_CALLER_SHARED,
	SCN_CALLER_PROMOTE,
	SCN_CALLER_COMMIT,
	SCN_CALLER_RELEASE,
	SCN_CALLER_LOOP,
	SCN_CALLER_END,
};

struct scn_caller_op {
	enum scn_caller_opcode code;
	bool guest; /* side of an acquire */
	bool retry; /* acquire and promote: until granted */
	u32 times;  /* LOOP */
	u32 match;  /* LOOP <-> END; an acquire's RELEASE */
};

/*
 * Checked by the reader: holds do not nest, each acquire's release stands in the same list, promote
 * and commit stand inside a hold that allows them.
 */
struct scn_caller {
	bool named;
	struct scn_caller_op *ops;
	u32 count;
};

struct scn_vcpu {
	bool named;
	bool raw;    /* entered by raw SEAMCALLs: no lane of its own, only a program */
	bool absent; /* a host lane creates it */
	bool bare;   /* a host lane initializes it */
	struct guest_op *ops;
	u32 count;
};

struct scn_td {
	u32 vcpus;
	bool sept_ve_disable; /* TD attribute: a PENDING access exits instead of raising #VE */
	bool debug;           /* TD attribute: TDH.MEM.RD and TDH.MEM.WR work */
	bool unfinished; /* not finalized: for LP lanes, or for host lanes that go on building */
	struct scn_range ranges[SCN_RANGES_MAX];
	u32 range_count;
	u64 pages; /* 4 KB pages of GPA space that the ranges take */
	struct scn_vcpu vcpu[SCN_VCPUS_MAX];
	bool explicit_life; /* a host lane builds it itself, or lets it run */
	bool torn_down;     /* a host lane tears it down */
	bool stepwise;      /* unfinished, and host lanes go on building it */
	bool gated;         /* its vCPU lanes wait until a host lane lets them run */
};

struct scn_host {
	struct scn_host_op *ops;
	u32 count;
};

/* A claim "never STATUS": no SEAMCALL or TDCALL of a lane returns it. */
struct scn_never {
	u64 status; /* bits 63:32; with an operand: all of it */
	bool any_operand;
	char text[96]; /* as written */
};

/*
 * A bound on BUSY results in a row, in one lane. retries(SITE) <= N: of one visit to a site of the host.
 * busy(LEAF) <= N: of one leaf, until a call of it ends with another status.
 */
enum scn_bound_kind {
	SCN_BOUND_RETRIES,
	SCN_BOUND_SEAMCALL,
	SCN_BOUND_TDCALL,
};

struct scn_bound {
	enum scn_bound_kind kind;
	u32 what; /* RETRIES: enum host_site; else the leaf */
	u32 limit;
	char text[64]; /* "retries(zap-block)" */
};

/* One setting that differs from the policy's preset. */
struct scn_setting {
	u32 setting; /* see host_setting_name() */
	char value[HOST_WORD_MAX];
};

/* Of the explorer's memory. */
enum scn_memory {
	SCN_SC,  /* sequentially consistent */
	SCN_TSO, /* stores wait in buffers, as on x86 */
};

/* Stores that a lane's store buffer holds, unless somebody says otherwise. */
#define SCN_STORE_BUFFER 8u

enum scn_expect {
	SCN_HOLDS,
	SCN_VIOLATED,
	SCN_INCONCLUSIVE,
};

struct scenario {
	char *path; /* as given */
	char *title;
	struct sl_machine_config module; /* lps and private_pages are filled by the world */
	struct host_policy rules;        /* the preset, changed by: */
	char *plugin;    /* or a shared object, to be loaded by plugin_attach(): path, or NULL */
	u64 plugin_hash; /* that it has to have; 0: any */
	struct scn_setting set[SCN_SETTINGS_MAX];
	u32 set_count;
	enum guest_on_busy on_busy;
	u32 busy_retries;
	enum guest_on_map_retry on_map_retry;
	u32 map_retries;
	bool entropy_fails; /* the explorer tries both answers */
	struct scn_td td[SCN_TDS_MAX];
	u32 td_count; /* 0 with a lock */
	struct scn_host host[SCN_HOSTS_MAX];
	u32 host_count;
	u32 more_lps; /* that migrate and offline name */
	/* With lp lanes only the vCPUs that have a lane run. */
	struct scn_lp lp[SCN_LPS_MAX];
	u32 lp_count; /* lanes with a name */
	/* Raw SEAMCALLs before the lanes start; each has to succeed. */
	struct scn_lp setup;
	/* A scenario about a lock word has no TD; its flavour is module.flavour. */
	enum scn_lock_kind lock;
	struct scn_caller caller[SCN_CALLERS_MAX];
	u32 caller_count; /* lanes with a name */
	bool all_finish;
	bool no_stale_hp;
	bool hp_kept;
	struct scn_never never[SCN_NEVER_MAX];
	u32 never_count;
	struct scn_bound bound[SCN_BOUNDS_MAX];
	u32 bound_count;
	enum scn_expect expect;
	char *expect_kind; /* "host-assert", ... or NULL */
	enum scn_memory memory;
	u32 store_buffer;  /* with TSO */
	bool slow;         /* takes minutes: left out where a folder is checked */
	bool threads_only; /* `engine: threads`: too large a world to explore */
	u32 seconds;       /* `seconds:` of the file, 5 by default; --seconds overrides it */
};

/*
 * Reads and checks a scenario. 0, or a negative errno with err->text =
 * "file:line:column: found ...; expected ...": -EINVAL for anything wrong in the text, -ENOENT and
 * the like for the file itself. On success the caller frees it with scenario_free().
 */
int scenario_read_file(const char *path, struct scenario **out, struct sl_err *err);
int scenario_read_text(const char *path, const char *text, size_t size, struct scenario **out,
		       struct sl_err *err);
/* The bytes of a file as they are, for scenario_read_text(); the caller frees them. */
int scenario_read_bytes(const char *path, char **text, size_t *size, struct sl_err *err);
void scenario_free(struct scenario *s);

/*
 * What a command line says in place of the file: @policy, if not NULL, instead of its policy and its
 * switches; then the switches "SWITCH=VALUE" of @set. 0; -EINVAL: no such policy, switch or value;
 * -ENOTSUP: a lock word has no host. err->text says what was expected.
 */
int scenario_override(struct scenario *s, const char *policy, const char *const *set, u32 set_count,
		      struct sl_err *err);
/* The memory model of the command line in place of the file's. 0, or -EINVAL and what was expected. */
int scenario_set_memory(struct scenario *s, const char *word, struct sl_err *err);
const char *scenario_memory_name(enum scn_memory m);
/* Does the word name a shared object and no preset? "./mine.so", "mine.so" */
bool scenario_is_plugin(const char *word, size_t size);
/* "kvm-6.19", "kvm-6.19 with track no-kick, operands clobbered". */
void scenario_policy_text(const struct scenario *s, char *text, size_t size);

#endif
