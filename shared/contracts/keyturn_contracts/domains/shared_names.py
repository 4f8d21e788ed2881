"""Names below which strangers live, although the Public Suffix List does not have them.

The list has who asked to be on it. A provider that never asked still gives a name below its own to
whoever signs up: who may reach `*.nip.io` may reach any address that anybody types. Each name here
is one below which its provider's documentation gives customers theirs: object storage, wildcard
and dynamic DNS, tunnels, hosting of applications, endpoints that keep what they are sent. Software
as a service is not here: there the provider runs what answers, whosever the tenant is.
"""

from collections.abc import Mapping

SHARED_NAMES_VERSION = "2026-11-25.2"
"""The day of the last change, and which of that day's it is where it is not the first: it is part
of what is recorded with every decision."""

ONE_OWNER_EACH: Mapping[str, str] = {
    # Storage: a bucket or an account.
    "storage.googleapis.com": "Google Cloud Storage",
    "commondatastorage.googleapis.com": "Google Cloud Storage, its earlier name",
    "firebaseio.com": "Firebase Realtime Database",
    "dfs.core.windows.net": "Azure Data Lake Storage",
    "queue.core.windows.net": "Azure Queue Storage",
    "table.core.windows.net": "Azure Table Storage",
    "fly.storage.tigris.dev": "Tigris",
    # Tunnels: somebody's own machine.
    "app.github.dev": "GitHub Codespaces, forwarded ports",
    "bore.pub": "bore",
    "gradio.live": "Gradio, share links",
    "lhr.life": "localhost.run",
    "loca.lt": "localtunnel",
    "localhost.run": "localhost.run, its earlier name",
    "pagekite.me": "PageKite",
    "serveo.net": "Serveo",
    "share.zrok.io": "zrok",
    # Dynamic DNS: any address, under a name that anybody may have.
    "dynamic-dns.net": "ChangeIP",
    # Hosting: an application, a site, an endpoint that keeps what it is sent.
    "b-cdn.net": "bunny.net, pull zones",
    "burpcollaborator.net": "Burp Collaborator, its earlier name",
    "codesandbox.io": "CodeSandbox",
    "free.beeceptor.com": "Beeceptor",
    "gigalixirapp.com": "Gigalixir",
    "glitch.me": "Glitch",
    "ipfs.io": "IPFS, a gateway",
    "kinsta.app": "Kinsta",
    "koyeb.app": "Koyeb",
    "kxcdn.com": "KeyCDN, zones",
    "mockable.io": "Mockable",
    "modal.run": "Modal, web endpoints",
    "oast.fun": "Interactsh",
    "oast.live": "Interactsh",
    "oast.me": "Interactsh",
    "oast.online": "Interactsh",
    "oast.pro": "Interactsh",
    "oast.site": "Interactsh",
    "oastify.com": "Burp Collaborator",
    "requestbin.com": "RequestBin",
    "stackblitz.io": "StackBlitz",
    "webhook.site": "Webhook.site, endpoints that keep what they are sent",
}
"""The label directly below is a customer's; what is below that is the same customer's."""

OWNERS_AT_ANY_DEPTH: Mapping[str, str] = {
    # Storage: regions, services and buckets stand in between.
    "aliyuncs.com": "Alibaba Cloud: bucket.oss-region",
    "appdomain.cloud": "IBM Cloud: bucket.s3.region.cloud-object-storage, app.id.region.codeengine",
    "backblazeb2.com": "Backblaze B2: bucket.s3.region",
    "bcebos.com": "Baidu AI Cloud: bucket.region",
    "cloud.ovh.net": "OVHcloud: bucket.s3.region.io",
    "exo.io": "Exoscale: bucket.sos-zone",
    "ionoscloud.com": "IONOS Cloud: bucket.s3.region",
    "myhuaweicloud.com": "Huawei Cloud: bucket.obs.region",
    "myqcloud.com": "Tencent Cloud: bucket.cos.region",
    "oraclecloud.com": "Oracle Cloud: namespace.compat.objectstorage.region",
    "otc.t-systems.com": "Open Telekom Cloud: bucket.obs.region",
    "r2.cloudflarestorage.com": "Cloudflare R2: account, or account.jurisdiction",
    "upcloudobjects.com": "UpCloud: bucket.instance",
    "volces.com": "Volcano Engine: bucket.tos-region",
    "wasabisys.com": "Wasabi: bucket.s3.region",
    "your-objectstorage.com": "Hetzner: bucket.location",
    "firebasedatabase.app": "Firebase Realtime Database: database.region",
    # Wildcard DNS: the name says the address, with dots in it.
    "localtest.me": "acme.localtest.me, always 127.0.0.1",
    "lvh.me": "acme.lvh.me, always 127.0.0.1",
    "nip.io": "10.0.0.1.nip.io",
    "sslip.io": "10.0.0.1.sslip.io",
    "traefik.me": "10.0.0.1.traefik.me",
    "xip.io": "10.0.0.1.xip.io",
    # Tunnels.
    "devtunnels.ms": "Microsoft dev tunnels: tunnel.cluster",
    "pinggy.link": "Pinggy: tunnel.a.free",
    # Hosting.
    "gitpod.io": "Gitpod: port-workspace.cluster",
    "hana.ondemand.com": "SAP BTP: app.cfapps.region",
    "openshiftapps.com": "Red Hat OpenShift: app.apps.cluster.shard.p1",
    "pipedream.net": "Pipedream and RequestBin: endpoint, or endpoint.m",
    "scalingo.io": "Scalingo: app.region",
    "webcontainer.io": "WebContainers: project.kind",
}
"""What stands between it and a customer's name differs or grows: no wildcard is one owner's."""
