#!/bin/busybox sh
# The guest's first process: brings a camera and the fresh Debian's folder, and hands over to its systemd.
/bin/busybox --install -s /bin
export PATH=/bin:/usr/bin:/sbin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
modprobe virtio_pci
modprobe 9pnet_virtio
modprobe 9p
modprobe vivid n_devs=1 node_types=0x1 num_inputs=1 input_types=0 vid_cap_nr=0
# As udev does where it runs.
chmod 666 /dev/video0
mkdir -p /fresh
mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288,cache=loose root0 /fresh || { echo "the root cannot be mounted"; poweroff -f; }
umount /proc /sys
mount --move /dev /fresh/dev
exec switch_root /fresh /sbin/init
