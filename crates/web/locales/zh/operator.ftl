# 运营者页面

operator = 运营者
nav-operator = 平台
operator-sign-in = 以运营者身份登录
operator-key = 运营者密钥
operator-key-how = 运营本服务器的人用运营者密钥登录。在服务器命令行生成：
platforms-lead = Onescan 各部分运行的位置和当前状态。
platforms-look-again = 重新查看
platforms-trouble = 有部分不可用。不可用的部分只影响自身功能；进行中的操作会自动再次查询。
platform-codes = 服务码
platform-profiles = 开票信息
platform-payments = 支付
platform-invoicing = 开票
platform-up = 正常
platform-down = 无响应
platform-unfit = 不匹配
platform-down-advice = 请检查该服务是否运行、能否从这里访问、密钥是否出自同一机构：onescan doctor。
platform-unfit-advice = 该地址上是另一个程序或另一个版本。请在 [platforms] 中更正地址，或更新该服务。
platform-place = 位置
platform-here = 本进程内
platform-version = 合约版本
platform-latency = 上次响应耗时
platform-calls = 启动以来的调用
platform-failures = 未获响应的尝试
