// SPDX-License-Identifier: MIT
/* The table of policies and the names of sites and classes. Layer: host. Holds no state. */
#include "host/policy.h"

#include <string.h>

static const struct host_policy policies[] = {
	{
		.name = "kvm-6.19",
		.site_class = {
#define SL_HOST_SITE(ident, name, leaf, cls, ok1, ok2) [HOST_SITE_##ident] = SITE_##cls,
#include "host/site.def"
#undef SL_HOST_SITE
		},
		.sw = {
			.local_retry = true,
			.keep_out = true,
			.kick_after_track = true,
		},
	},
};

static const char *const site_names[HOST_SITE_COUNT] = {
#define SL_HOST_SITE(ident, name, leaf, cls, ok1, ok2) [HOST_SITE_##ident] = (name),
#include "host/site.def"
#undef SL_HOST_SITE
};

static const u16 site_leaves[HOST_SITE_COUNT] = {
#define SL_HOST_SITE(ident, name, leaf, cls, ok1, ok2) [HOST_SITE_##ident] = SEAMCALL_##leaf,
#include "host/site.def"
#undef SL_HOST_SITE
};

static const char *const class_names[SITE_CLASS_COUNT] = {
	[SITE_RETURN_BUSY] = "return-busy",
	[SITE_LOCAL_RETRY] = "local-retry",
	[SITE_KICK_ONCE] = "kick-once",
	[SITE_MUST_SUCCEED] = "must-succeed",
};

const struct host_policy *host_policy_find(const char *name)
{
	for (u32 i = 0; i < ARRAY_SIZE(policies); i++)
		if (strcmp(policies[i].name, name) == 0)
			return &policies[i];
	return NULL;
}

const char *host_policy_name(u32 index)
{
	return index < ARRAY_SIZE(policies) ? policies[index].name : NULL;
}

const char *host_site_name(enum host_site site)
{
	return (u32)site < HOST_SITE_COUNT ? site_names[site] : "unknown";
}

enum tdx_seamcall host_site_leaf(enum host_site site)
{
	return (enum tdx_seamcall)site_leaves[site];
}

const char *site_class_name(enum site_class cls)
{
	return (u32)cls < SITE_CLASS_COUNT ? class_names[cls] : "unknown";
}
