/* SPDX-License-Identifier: MIT */
/*
 * What a VMM does about BUSY: one class per SEAMCALL site, and switches for everything that is not
 * a matter of one site. A policy is constant data; adding one is adding a table entry.
 * Layer: host.
 */
#ifndef SL_HOST_POLICY_H
#define SL_HOST_POLICY_H

#include <seamlab/tdx_abi.h>

#include "base/stats.h"
#include "base/types.h"

enum host_site {
#define SL_HOST_SITE(ident, name, leaf, cls, ok1, ok2) HOST_SITE_##ident,
#include "host/site.def"
#undef SL_HOST_SITE
	HOST_SITE_COUNT
};

_Static_assert(HOST_SITE_COUNT <= SL_SITE_MAX, "statistics have room for every site");

enum site_class {
	SITE_RETURN_BUSY,  /* hand the status to the caller's caller */
	SITE_LOCAL_RETRY,  /* hand it to the fault loop, which tries again; other errors bug */
	SITE_KICK_ONCE,    /* keep out, kick, try once more; what fails then bugs the VM */
	SITE_MUST_SUCCEED, /* anything but success bugs the VM */
	SITE_CLASS_COUNT
};

/* Only what the code consults. */
struct host_switches {
	bool local_retry;      /* RET_PF_RETRY loops in the fault handler, not through the guest */
	bool keep_out;         /* vCPUs stay out of the guest during a second attempt */
	bool kick_after_track; /* each TRACK is followed by a kick of all vCPUs */
};

struct host_policy {
	const char *name;
	u8 site_class[HOST_SITE_COUNT];
	struct host_switches sw;
};

/* NULL if no policy has this name. */
const struct host_policy *host_policy_find(const char *name);

/* Names in the order of the table; NULL behind the last one. */
const char *host_policy_name(u32 index);

/* "fault-aug", ... */
const char *host_site_name(enum host_site site);
enum tdx_seamcall host_site_leaf(enum host_site site);
const char *site_class_name(enum site_class cls);

#endif
