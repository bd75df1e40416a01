#!/bin/busybox sh
# The guest's first process: mounts, runs the scenario from the shared folder, and ends the machine.
/bin/busybox --install -s /bin
export PATH=/bin:/usr/bin:/sbin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev 2>/dev/null
mount -t tmpfs tmp /tmp
modprobe virtio_pci
modprobe 9pnet_virtio
modprobe 9p
mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288 host0 /host || echo "the shared folder cannot be mounted"
sh /host/scenario.sh 2>&1
poweroff -f
